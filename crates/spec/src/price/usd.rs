//! Amounts of the price list, exact.

use crate::model::Currency;
use crate::price::RATE;
use serde::Serialize;
use std::iter::Sum;
use std::ops::Add;

/// Dollars, counted in thousandths of a cent: the list has prices like 0.00015.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Usd(u64);

const PER_DOLLAR: u32 = 100_000;

impl Usd {
    #[must_use]
    pub const fn dollars(whole: u64) -> Self {
        Self(whole * PER_DOLLAR as u64)
    }

    #[must_use]
    pub const fn thousandths_of_cents(count: u64) -> Self {
        Self(count)
    }

    /// An amount that was written with a point; `None` for what is no amount.
    #[must_use]
    pub fn from_dollars(dollars: f64) -> Option<Self> {
        let count = (dollars * f64::from(PER_DOLLAR)).round();
        // What a double holds exactly, 2^53.
        (0.0..=9_007_199_254_740_992.0).contains(&count).then_some(Self(count as u64))
    }

    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// So many percent more.
    #[must_use]
    pub fn plus_percent(self, percent: u64) -> Self {
        Self(self.0.saturating_add(self.0.saturating_mul(percent) / 100))
    }

    /// `part` of `whole` of it.
    #[must_use]
    pub fn share(self, part: u64, whole: u64) -> Self {
        Self(self.0.saturating_mul(part).checked_div(whole).unwrap_or_default())
    }

    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// In the currency, with so many decimals.
    #[must_use]
    pub fn in_currency(self, currency: Currency, decimals: i32) -> f64 {
        let rate = match currency {
            Currency::Usd => 1.0,
            Currency::Eur => RATE.usd_eur,
        };
        // No bill comes near the 2^53 that a double holds exactly.
        let dollars = self.0 as f64 / f64::from(PER_DOLLAR);
        let scale = 10f64.powi(decimals);
        (dollars * rate * scale).round() / scale
    }
}

impl Add for Usd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Self::add)
    }
}
