//! When a backup runs: `daily 03:00 UTC` or `every 6h`.

use crate::units::{format_duration, parse_duration, parse_time_of_day};
use std::fmt;
use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Minute of the day, UTC.
    Daily { minute: u16 },
    /// Seconds between two runs; a whole number of minutes.
    Every { seconds: u64 },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a schedule; write \"daily 03:00 UTC\" or \"every 6h\"")]
pub struct ScheduleError(String);

impl Schedule {
    /// Seconds between two runs.
    #[must_use]
    pub fn interval_s(self) -> u64 {
        match self {
            Self::Daily { .. } => 86_400,
            Self::Every { seconds } => seconds,
        }
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let schedule = match text.split(' ').collect::<Vec<_>>().as_slice() {
            ["daily", time, "UTC"] => {
                parse_time_of_day(time, false).map(|minute| Self::Daily { minute })
            }
            ["every", interval] => parse_duration(interval).map(|seconds| Self::Every { seconds }),
            _ => None,
        };
        schedule.ok_or_else(|| ScheduleError(text.to_owned()))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Daily { minute } => write!(f, "daily {:02}:{:02} UTC", minute / 60, minute % 60),
            Self::Every { seconds } => write!(f, "every {}", format_duration(*seconds)),
        }
    }
}
