//! Quantities as the file writes them: sizes, bytes, bits a second, durations.

use crate::model::Size;

pub const GB: u64 = 1_000_000_000;
pub const TB: u64 = 1_000 * GB;

/// `"<vcpu>x<GB>"`, for example `2x4`: 1 to 64 processors, 1 to 512 GiB of memory.
///
/// # Errors
/// What is wrong, as a sentence's end: `… is not a size`.
pub fn parse_size(text: &str) -> Result<Size, String> {
    let parts =
        text.split_once('x').and_then(|(vcpu, memory)| Some((digits(vcpu)?, digits(memory)?)));
    let Some((vcpu, memory)) = parts else {
        return Err("is not a size: write \"<vcpu>x<GB>\", for example \"2x4\"".to_owned());
    };
    if !(1..=64).contains(&vcpu) {
        return Err(format!("asks for {vcpu} vCPU; 1 to 64 are possible"));
    }
    if !(1..=512).contains(&memory) {
        return Err(format!("asks for {memory} GB of memory; 1 to 512 are possible"));
    }
    match (u32::try_from(vcpu), u32::try_from(memory)) {
        (Ok(vcpu), Ok(memory)) => Ok(Size::new(vcpu, memory)),
        _ => Err("is not a size".to_owned()),
    }
}

/// `"100 GB"`, `"1 TB"`, `"512 MB"`, `"1.5 TB"`, also GiB, TiB, MiB; in bytes.
#[must_use]
pub fn parse_bytes(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let factor = match unit {
        "MB" => 1_000_000,
        "GB" => GB,
        "TB" => TB,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    scale(number, factor)
}

/// `"200 Mbit/s"`, `"1 Gbit/s"`; in bits a second.
#[must_use]
pub fn parse_bandwidth(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let factor = match unit {
        "kbit/s" => 1_000,
        "Mbit/s" => 1_000_000,
        "Gbit/s" => 1_000_000_000,
        _ => return None,
    };
    scale(number, factor)
}

/// `"10 TB/month"`; in bytes a month.
#[must_use]
pub fn parse_transfer(text: &str) -> Option<u64> {
    parse_bytes(text.strip_suffix("/month")?)
}

/// `"30d"`, `"6h"`, `"15m"`, `"2w"`; in seconds.
#[must_use]
pub fn parse_duration(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let factor = match unit {
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    digits(number)?.checked_mul(factor).filter(|seconds| *seconds > 0)
}

/// The same, and seconds: `"60s"`.
#[must_use]
pub fn parse_seconds(text: &str) -> Option<u64> {
    match split_unit(text)? {
        (number, "s") => digits(number).filter(|seconds| *seconds > 0),
        _ => parse_duration(text),
    }
}

/// `100 GB`, `1.5 TB`: the unit that needs the fewest digits.
#[must_use]
pub fn format_bytes(bytes: u64) -> String {
    let (unit, name) = match bytes {
        TB.. => (TB, "TB"),
        GB.. => (GB, "GB"),
        1_000_000.. => (1_000_000, "MB"),
        _ => (1, "B"),
    };
    // Two decimals, in whole numbers, without trailing zeros.
    let hundredths = (u128::from(bytes) * 100 + u128::from(unit) / 2) / u128::from(unit);
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    match rest {
        0 => format!("{whole} {name}"),
        rest if rest % 10 == 0 => format!("{whole}.{} {name}", rest / 10),
        rest => format!("{whole}.{rest:02} {name}"),
    }
}

/// `200 Mbit/s`, `1.5 Gbit/s`.
#[must_use]
pub fn format_bandwidth(bits_per_s: u64) -> String {
    let (unit, name) = match bits_per_s {
        1_000_000_000.. => (1_000_000_000, "Gbit/s"),
        1_000_000.. => (1_000_000, "Mbit/s"),
        _ => (1_000, "kbit/s"),
    };
    let tenths = (u128::from(bits_per_s) * 10 + unit / 2) / unit;
    match tenths % 10 {
        0 => format!("{} {name}", tenths / 10),
        rest => format!("{}.{rest} {name}", tenths / 10),
    }
}

/// `30d`, `36h`, `90m`, `45s`: the largest unit that divides it.
#[must_use]
pub fn format_duration(seconds: u64) -> String {
    match seconds {
        s if s > 0 && s % 86_400 == 0 => format!("{}d", s / 86_400),
        s if s > 0 && s % 3_600 == 0 => format!("{}h", s / 3_600),
        s if s > 0 && s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

/// `HH:MM` in minutes of the day; `24:00` only where `end` allows it.
pub(crate) fn parse_time_of_day(text: &str, end: bool) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    let total = u16::try_from(hours * 60 + minutes).ok()?;
    let valid = minutes < 60 && (hours < 24 || (end && total == 24 * 60));
    valid.then_some(total)
}

/// Decimal digits and nothing else: no sign, no underscore, no space.
pub(crate) fn digits(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn split_unit(text: &str) -> Option<(&str, &str)> {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at_checked(at)?;
    (!number.is_empty()).then_some((number, unit.strip_prefix(' ').unwrap_or(unit)))
}

/// `number` may have up to three decimals; the product is a whole number above zero.
fn scale(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.len() > 3 {
        return None;
    }
    let thousandths = digits(&format!("{fraction:0<3}"))?;
    let whole = digits(whole)?.checked_mul(factor)?;
    let part = thousandths.checked_mul(factor)? / 1_000;
    whole.checked_add(part).filter(|total| *total > 0)
}
