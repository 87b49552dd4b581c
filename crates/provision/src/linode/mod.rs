//! Linode's API v4, as far as Andamio asks it itself.

mod api;
mod prices;

pub use api::{ApiConfig, ApiError};
pub use prices::{Offers, offers};
