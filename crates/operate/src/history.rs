//! What was done, and by whom, from the ledger alone: no identity and no machine is needed to ask.

use crate::actor::{Actors, signed};
use crate::instance::find;
use crate::{Failure, Kind, Request};
use andamio_engine::{Entry, Fault, Ledger, RunRecord, Signature, Store};
use serde_json::{Value, json};

/// A run, with the worst of what is to be thought of its entries.
#[derive(Debug, Clone)]
pub struct Run {
    pub record: RunRecord,
    /// Whose key signed it, as the list of actors names them; the key where it names nobody.
    pub actor: Option<String>,
    pub signature: Signature,
}

#[derive(Debug, Default)]
pub struct History {
    pub runs: Vec<Run>,
    pub faults: Vec<(String, Fault)>,
}

/// `env@place` of a request.
///
/// # Errors
/// When there is no such environment.
pub fn instance(request: &Request) -> Result<String, Failure> {
    let declared = find(&request.spec, &request.env)?;
    let place = request.place.as_ref().unwrap_or(&declared.on);
    Ok(format!("{}@{place}", request.env))
}

impl History {
    /// Reads the ledger of an instance into it. What is wrong there hides nothing else.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn read(&mut self, store: &Store, instance: &str) -> Result<(), Failure> {
        let store = store.instance(instance);
        let actors = Actors::read(&store).await?;
        let judge = |number: u64, entry: &RunRecord| {
            actors.could_write(&entry.actor, number)
                && signed(&entry.actor, &entry.sha256, &entry.signature)
        };
        let reading = Ledger::new(store).read(&judge).await?;
        self.runs.extend(reading.runs().into_iter().map(|Entry { record, signature, .. }| {
            let key = record.actor.as_str();
            let name = actors.name(key).unwrap_or(key).to_owned();
            Run { actor: (!name.is_empty()).then_some(name), record, signature }
        }));
        self.faults.extend(reading.faults.into_iter().map(|fault| (instance.to_owned(), fault)));
        Ok(())
    }

    /// Everything that is wrong, as one failure.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        if self.faults.is_empty() {
            return None;
        }
        let says: Vec<String> =
            self.faults.iter().map(|(instance, fault)| format!("{instance}: {fault}")).collect();
        let help = "compare the state with a copy of it, and put back what was there; where newest entries are lost for \
                    good, remove `ledger-head` beside `ledger`: what is left then counts as the whole ledger";
        Some(Failure::new(Kind::Failed, "ledger", says.join("; "), help))
    }

    /// The same for programs.
    #[must_use]
    pub fn faults(&self) -> Vec<Value> {
        let fault = |(instance, fault): &(String, Fault)| {
            let Fault { first, last, wrong } = fault;
            json!({ "instance": instance, "first": first, "last": last, "wrong": wrong.as_str(),
                    "message": fault.to_string() })
        };
        self.faults.iter().map(fault).collect()
    }
}

impl Run {
    /// The record as it is written, with a name and a word in place of key and signature.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut value = serde_json::to_value(&self.record).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.insert("actor".to_owned(), json!(self.actor));
            fields.insert("signature".to_owned(), json!(self.signature));
        }
        value
    }
}
