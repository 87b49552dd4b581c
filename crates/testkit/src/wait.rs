//! Waiting for something to become true, with a deadline that says what it waited for.

use std::time::{Duration, Instant};

/// How often something that sends no event is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Looks until there is an answer; panics with the last reason when `deadline` has passed.
pub fn until<T>(what: &str, deadline: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match look() {
            Ok(answer) => return answer,
            Err(why) if begun.elapsed() > deadline => {
                panic!("waited {:.0} s for {what}: {why}", deadline.as_secs_f64());
            }
            Err(_) => std::thread::sleep(LOOK),
        }
    }
}
