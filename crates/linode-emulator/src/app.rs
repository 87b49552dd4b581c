//! The emulator itself: tables behind a lock, requests answered from them once they are safe on disk,
//! and jobs that go on by themselves.

use crate::api;
use crate::error::Errors;
use crate::event;
use crate::fault::Faults;
use crate::job::{Job, Machines};
use crate::limits::Limits;
use crate::store::{Durable, Kind, Opened, State, StoreError, Tx, open};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// What a person chooses.
pub struct Options {
    /// The one token that will do; without it any will.
    pub token: Option<String>,
    pub rate_limits: bool,
    pub faults: Faults,
    /// Where S3 is served, as clients name it.
    pub s3: Option<String>,
    /// How long an answer that never comes keeps its connection open.
    pub timeout: Duration,
}

pub struct App {
    store: RwLock<Opened>,
    durable: Durable,
    machines: Box<dyn Machines>,
    /// Jobs of each thing, the first of which is being done.
    queues: Mutex<HashMap<u64, VecDeque<Job>>>,
    pub(crate) limits: Limits,
    pub(crate) options: Options,
}

impl App {
    /// Opens the state, and goes on with what it left undone. Needs a runtime.
    ///
    /// # Errors
    /// The state cannot be used.
    pub fn open(
        folder: &Path,
        machines: Box<dyn Machines>,
        options: Options,
    ) -> Result<Arc<Self>, StoreError> {
        let (mut store, durable) = open(folder)?;
        store.state.s3 = options.s3.as_deref().map(Arc::from);
        let Ok(()) = store
            .transact::<_, std::convert::Infallible>(|tx| {
                api::account::first_run(tx);
                api::object_storage::served(tx);
                Ok(())
            })
            .map(|_| ());
        let undone: Vec<Job> =
            store.state.all(Kind::Job).filter_map(|record| Job::read(record)).collect();
        let app = Arc::new(Self {
            store: RwLock::new(store),
            durable,
            machines,
            queues: Mutex::default(),
            limits: Limits::default(),
            options,
        });
        undone.into_iter().for_each(|job| app.enqueue(job));
        Ok(app)
    }

    /// Answers from what is safe on disk.
    ///
    /// # Errors
    /// Those of the handler, or the state cannot be written.
    pub(crate) async fn read<T, E: From<Errors>>(
        &self,
        work: impl FnOnce(&State) -> Result<T, E>,
    ) -> Result<T, E> {
        let (answer, sent) = {
            let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
            (work(&store.state), store.sent())
        };
        self.wait(sent).await?;
        answer
    }

    /// Changes the state; returns when the change is safe on disk.
    ///
    /// # Errors
    /// Those of the handler, or the state cannot be written.
    pub(crate) async fn write<T, E: From<Errors>>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (answer, sent) = {
            let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
            let (answer, sent, jobs) = store.transact(work)?;
            for id in jobs {
                let record = store.state.get(Kind::Job, 0, id);
                record.and_then(|r| Job::read(r)).into_iter().for_each(|job| self.enqueue(job));
            }
            (answer, sent)
        };
        self.wait(sent).await?;
        Ok(answer)
    }

    async fn wait(&self, sent: u64) -> Result<(), Errors> {
        let mut durable = self.durable.clone();
        let safe = durable.wait_for(|written| *written >= sent).await;
        safe.map(|_| ()).map_err(|_| Errors::server(500, "The emulator's state cannot be written"))
    }

    fn enqueue(self: &Arc<Self>, job: Job) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.entry(job.subject).or_default();
        queue.push_back(job.clone());
        if queue.len() == 1 {
            let app = Arc::clone(self);
            tokio::spawn(async move { app.work_off(job).await });
        }
    }

    /// Does the jobs of one thing, until none is left.
    async fn work_off(self: Arc<Self>, first: Job) {
        let mut next = Some(first);
        while let Some(job) = next {
            // Not being able to write has been said by who writes; every request fails with it.
            let begun = self.write(|tx| {
                api::begin(tx, &job);
                event::start(tx, job.event);
                Ok::<(), Errors>(())
            });
            if begun.await.is_err() {
                return;
            }
            let outcome = self.machines.carry_out(&job).await;
            let ended = self.write(|tx| {
                api::finish(tx, &job, outcome.as_ref().copied().map_err(String::as_str));
                Ok::<(), Errors>(())
            });
            if ended.await.is_err() {
                return;
            }
            let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            next = queues.get_mut(&job.subject).and_then(|queue| {
                queue.pop_front();
                queue.front().cloned()
            });
            if next.is_none() {
                queues.remove(&job.subject);
            }
        }
    }

    /// Is this bearer token one that will do? Compared by digest, so that the time it takes says
    /// nothing about it.
    pub(crate) fn admits(&self, token: &str) -> bool {
        let wanted = self.options.token.as_ref();
        !token.is_empty()
            && wanted
                .is_none_or(|t| Sha256::digest(t.as_bytes()) == Sha256::digest(token.as_bytes()))
    }
}
