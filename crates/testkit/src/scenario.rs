//! Runs scenarios: each is a series of counted steps. One that cannot run here says why and counts
//! as skipped; a failed step is reported and the rest goes on where it can.

use crate::{host, run};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::time::Instant;

/// A later step cannot be told from nonsense after this failure.
#[derive(Debug)]
pub struct Abandoned;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing beyond this process.
    Nothing,
    /// Root, and the programs that make machines.
    Machines,
}

pub struct Scenario {
    pub name: &'static str,
    pub need: Need,
    pub run: fn(&mut Steps) -> Result<(), Abandoned>,
}

#[derive(Default)]
pub struct Steps {
    scenario: &'static str,
    pub passed: u32,
    pub failed: u32,
    pub skipped: u32,
    /// What a long scenario measured.
    pub figures: Map<String, Value>,
}

thread_local! {
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

impl Steps {
    /// Runs one scenario, or skips it.
    pub fn scenario(&mut self, scenario: &Scenario) {
        self.scenario = scenario.name;
        let why = match scenario.need {
            Need::Nothing => None,
            Need::Machines => host::machines_impossible(),
        };
        match why {
            Some(why) => self.skip("all of it", &why),
            None => drop((scenario.run)(self)),
        }
    }

    /// A step that later ones do not need. True when it passed.
    pub fn step(&mut self, title: &str, work: impl FnOnce()) -> bool {
        self.must(title, work).is_ok()
    }

    /// A step without which the scenario cannot go on.
    ///
    /// # Errors
    /// When it failed, which is reported and counted already.
    pub fn must<T>(&mut self, title: &str, work: impl FnOnce() -> T) -> Result<T, Abandoned> {
        panic::set_hook(Box::new(|info| {
            let place = info.location().map(|l| format!(" ({}:{})", l.file(), l.line()));
            let text = info.payload_as_str().unwrap_or("panicked").to_owned();
            SAID.with(|said| *said.borrow_mut() = text + &place.unwrap_or_default());
        }));
        let begun = Instant::now();
        let result = panic::catch_unwind(AssertUnwindSafe(work));
        let _ = panic::take_hook();
        let seconds = begun.elapsed().as_secs_f64();
        let name = format!("{}: {title}", self.scenario);
        match result {
            Ok(answer) => {
                self.passed += 1;
                println!("  passed   {name}  {seconds:.1} s");
                Ok(answer)
            }
            Err(_) => {
                self.failed += 1;
                println!("  FAILED   {name}  {seconds:.1} s");
                SAID.with(|said| {
                    for line in said.take().lines() {
                        println!("           {line}");
                    }
                });
                Err(Abandoned)
            }
        }
    }

    pub fn skip(&mut self, title: &str, why: &str) {
        self.skipped += 1;
        println!("  skipped  {}: {title}: {why}", self.scenario);
    }

    pub fn figure(&mut self, name: &str, value: impl Into<Value>) {
        self.figures.insert(name.to_owned(), value.into());
    }

    /// The count that `./test` adds up.
    pub fn finish(&self) {
        if run::owns_folder() && !run::keep() {
            let _ = std::fs::remove_dir_all(run::folder());
        }
        println!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped);
    }
}
