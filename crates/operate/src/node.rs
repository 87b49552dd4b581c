//! Talking to the node on every machine: one connection each, the agent copied once a digest.

use crate::failure::remote_fault;
use andamio_engine::ErrorReport;
use andamio_manifest::{AGENTS, Event, Manifest, Report, Task};
use andamio_provision::Found;
use andamio_remote::{RemoteError, Session, SshKey, Stream, Target, quote};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};

/// What `sh` answers when the program is not there or not executable; from 128 on it ended by a signal, as an agent
/// that is not whole does.
const NOT_THERE: std::ops::RangeInclusive<u32> = 126..=192;
/// For a machine that answered a moment ago.
const AGAIN: Duration = Duration::from_secs(10);
/// A check takes a tenth of a second; one that takes longer waits for something, and has had its turn.
const TURN: Duration = Duration::from_secs(1);

/// Connections of one run.
pub struct Nodes {
    /// The actor's, the instance's own and its former ones, then the person's where there is one.
    identities: Vec<SshKey>,
    program: PathBuf,
    agent: OnceLock<std::io::Result<Agent>>,
    content: Mutex<Weak<Vec<u8>>>,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    /// Checks that may be at work at once.
    turns: Arc<Semaphore>,
}

/// The program as it runs on machines; 20 MB, so its content is read only where it has to be copied.
struct Agent {
    digest: String,
    /// Where it is on the machine; named by its digest, so that it is copied once.
    path: String,
}

/// A node's answer: every resource that is not as declared, and the sum.
#[derive(Debug, Clone, Default)]
pub struct NodeReport {
    pub events: Vec<Event>,
    pub report: Report,
}

impl Nodes {
    /// `at_once`: how many machines are looked at at the same time. Those of one host share its processors
    /// with whoever is being served: fifteen looks at once were felt (half the requests of three seconds).
    #[must_use]
    pub fn new(identities: Vec<SshKey>, program: &Path, at_once: usize) -> Self {
        Self {
            identities,
            program: program.to_owned(),
            agent: OnceLock::new(),
            content: Mutex::default(),
            sessions: Mutex::default(),
            turns: Arc::new(Semaphore::new(at_once)),
        }
    }

    /// Is there a key whose passphrase nobody gave yet?
    pub(crate) fn has_locked_keys(&self) -> bool {
        self.identities.iter().any(|identity| identity.is_locked().is_some())
    }

    /// The machine's connection, made when there is none yet.
    ///
    /// # Errors
    /// When it does not answer within `patience`.
    pub async fn session(
        &self,
        machine: &Found,
        patience: Duration,
    ) -> Result<Arc<Session>, RemoteError> {
        if let Some(session) = self.sessions.lock().await.get(&machine.name) {
            return Ok(Arc::clone(session));
        }
        let session = Arc::new(self.connect(machine, patience).await?);
        self.sessions.lock().await.insert(machine.name.clone(), Arc::clone(&session));
        Ok(session)
    }

    /// A connection of its own, not shared.
    ///
    /// # Errors
    /// When it does not answer within `patience`.
    pub async fn connect(
        &self,
        machine: &Found,
        patience: Duration,
    ) -> Result<Session, RemoteError> {
        let target = Target {
            machine: machine.name.clone(),
            address: (machine.address, machine.port).into(),
            user: machine.user.clone(),
            host_key: machine.host_key.clone(),
        };
        Session::connect(&target, &self.identities, patience).await
    }

    /// Forgets a connection, after its machine was stopped.
    pub async fn forget(&self, machine: &str) {
        self.sessions.lock().await.remove(machine);
    }

    /// Digest of the executable that a run of this program gives to machines.
    ///
    /// # Errors
    /// When it cannot be read here.
    pub(crate) fn digest(&self) -> Result<&str, ErrorReport> {
        Ok(&self.agent()?.digest)
    }

    fn agent(&self) -> Result<&Agent, ErrorReport> {
        let load = || {
            let digest = digest(&self.program)?;
            Ok(Agent { path: format!("{AGENTS}/{digest}"), digest })
        };
        // 20 milliseconds, once.
        self.agent.get_or_init(load).as_ref().map_err(|e| self.unreadable(e))
    }

    /// Sends a manifest; every event goes to `each` as it arrives.
    ///
    /// # Errors
    /// When the machine cannot be reached or the node itself fails. A resource that fails is part of
    /// the answer.
    pub async fn apply(
        &self,
        machine: &Found,
        manifest: &Manifest,
        check: bool,
        mut each: impl FnMut(&Event),
    ) -> Result<NodeReport, ErrorReport> {
        // A person who only looks waits less: the answer is that the machine is silent.
        let patience = Duration::from_secs(if check { 4 } else { 20 });
        let _turn = if check { Some(self.turn().await) } else { None };
        let mut session = self.session(machine, patience).await.map_err(|e| remote_fault(&e))?;
        let agent = self.agent()?;
        let mut command = vec![agent.path.as_str(), "node", "apply"];
        if check {
            command.push("--check");
        }
        let command = quote(&command);
        let input = serde_json::to_vec(manifest)
            .map_err(|e| ErrorReport::from_error("manifest", &e, "this is a fault of Andamio"))?;
        for attempt in 0..2 {
            let (confirm, tokens) = mpsc::unbounded_channel();
            let mut reader = Lines::default();
            let mut said = NodeReport::default();
            let mut complaint = Vec::new();
            let work = async {
                // The sender goes with the closure, so that confirming ends after the work has.
                let take = |stream, bytes: &[u8]| {
                    match stream {
                        Stream::Err => complaint.extend_from_slice(bytes),
                        Stream::Out => reader.feed(bytes, |event| {
                            if let Event::Resource { confirm: Some(token), .. } = &event {
                                let _ = confirm.send(token.clone());
                            }
                            each(&event);
                            match event {
                                Event::Done(report) => said.report = report,
                                other => said.events.push(other),
                            }
                        }),
                    }
                    Ok(())
                };
                let exit = session.stream(&command, &input, take).await;
                drop(confirm);
                exit
            };
            let (exit, ()) = tokio::join!(work, self.confirm_all(machine, &agent.path, tokens));
            let exit = match exit {
                Ok(exit) => exit,
                // A connection that was cut says nothing about the machine; what is done is not done again.
                Err(RemoteError::Broken { .. } | RemoteError::Closed { .. }) if attempt == 0 => {
                    self.forget(&machine.name).await;
                    let patience = patience.min(AGAIN);
                    session =
                        self.session(machine, patience).await.map_err(|e| remote_fault(&e))?;
                    continue;
                }
                Err(error) => return Err(remote_fault(&error)),
            };
            if NOT_THERE.contains(&exit.0) && attempt == 0 {
                self.copy_agent(&session, agent).await?;
                continue;
            }
            if said.report.v == 0 || said.report.error.is_some() {
                let text = String::from_utf8_lossy(&complaint).trim().to_owned();
                let (machine, why) = (&machine.name, said.report.error.clone().unwrap_or(text));
                let message = match said.events.iter().rev().find_map(at_work) {
                    Some(work) if why.is_empty() => format!(
                        "the node on {machine} was killed at {work}: by hand, or because the machine's memory \
                         ran out"
                    ),
                    _ => format!("the node on {machine} stopped (status {}): {why}", exit.0),
                };
                return Err(ErrorReport::new(
                    "node",
                    message,
                    "look at the machine with `andamio ssh`, then run the same command again: it goes on from \
                     there",
                ));
            }
            return Ok(said);
        }
        Err(ErrorReport::new(
            "agent",
            format!("{} cannot run the agent", machine.name),
            "is it x86-64?",
        ))
    }

    /// Until what is returned is dropped, or [`TURN`] is over.
    async fn turn(&self) -> oneshot::Sender<()> {
        let (held, over) = oneshot::channel();
        // It is never closed.
        if let Ok(permit) = Arc::clone(&self.turns).acquire_owned().await {
            tokio::spawn(async move {
                let _ = tokio::time::timeout(TURN, over).await;
                drop(permit);
            });
        }
        held
    }

    /// The agent's content, once for all machines that are sent it at the same time.
    async fn content(&self, agent: &Agent) -> Result<Arc<Vec<u8>>, ErrorReport> {
        let mut shared = self.content.lock().await;
        if let Some(content) = shared.upgrade() {
            return Ok(content);
        }
        let content = tokio::fs::read(&self.program).await.map_err(|e| self.unreadable(&e))?;
        if hex::encode(&Sha256::digest(&content)[..8]) != agent.digest {
            let message = format!("{} was replaced during this run", self.program.display());
            return Err(ErrorReport::new("agent", message, "run the same command again"));
        }
        let content = Arc::new(content);
        *shared = Arc::downgrade(&content);
        Ok(content)
    }

    fn unreadable(&self, error: &std::io::Error) -> ErrorReport {
        let message = format!("cannot read {}: {error}", self.program.display());
        ErrorReport::new("agent", message, "run a complete build of andamio")
    }

    /// Has a cluster's member do something by itself; the answer is the task's own.
    ///
    /// # Errors
    /// When the machine cannot be reached, or the task fails.
    pub async fn task<T: serde::de::DeserializeOwned>(
        &self,
        machine: &Found,
        task: &Task,
    ) -> Result<T, ErrorReport> {
        let patience = Duration::from_secs(10);
        let session = self.session(machine, patience).await.map_err(|e| remote_fault(&e))?;
        let agent = self.agent()?;
        let command = quote(&[agent.path.as_str(), "node", "task"]);
        let input = serde_json::to_vec(task)
            .map_err(|e| ErrorReport::from_error("task", &e, "this is a fault of Andamio"))?;
        let mut output = session.output(&command, &input).await.map_err(|e| remote_fault(&e))?;
        if NOT_THERE.contains(&output.exit.0) {
            self.copy_agent(&session, agent).await?;
            output = session.output(&command, &input).await.map_err(|e| remote_fault(&e))?;
        }
        if !output.exit.success() {
            return Err(ErrorReport::new(
                "task",
                format!("{}: {}", machine.name, output.complaint()),
                "look at the machine with `andamio logs`, then run the same command again",
            ));
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|e| ErrorReport::from_error("task", &e, "this is a fault of Andamio"))
    }

    /// Where this program is on a machine; copied there when it is not.
    ///
    /// # Errors
    /// When it cannot be read here or copied there.
    pub(crate) async fn agent_on(&self, session: &Session) -> Result<&str, ErrorReport> {
        let agent = self.agent()?;
        let look = format!("test -x {}", quote(&[&agent.path]));
        let there = session.output(&look, &[]).await.map_err(|e| remote_fault(&e))?;
        if !there.exit.success() {
            self.copy_agent(session, agent).await?;
        }
        Ok(&agent.path)
    }

    async fn copy_agent(&self, session: &Session, agent: &Agent) -> Result<(), ErrorReport> {
        let content = self.content(agent).await?;
        let sent = session.upload(&content, &agent.path, 0o755).await;
        let output = sent.map_err(|e| remote_fault(&e))?;
        if output.exit.success() {
            return Ok(());
        }
        Err(ErrorReport::new(
            "agent",
            format!("cannot copy the agent to {}: {}", session.machine(), output.complaint()),
            "is its disk full?",
        ))
    }

    /// Proves over a second connection that a changed firewall lets the operator in; without that the
    /// node takes the change back by itself.
    async fn confirm_all(
        &self,
        machine: &Found,
        agent: &str,
        mut tokens: mpsc::UnboundedReceiver<String>,
    ) {
        while let Some(token) = tokens.recv().await {
            if let Ok(session) = self.connect(machine, Duration::from_secs(10)).await {
                let command = quote(&[agent, "node", "confirm", &token]);
                let _ = session.output(&command, &[]).await;
                session.close().await;
            }
        }
    }
}

/// What the node said it was doing.
fn at_work(event: &Event) -> Option<String> {
    match event {
        Event::Started { resource, doing, .. } => Some(format!("{resource} ({doing})")),
        Event::Resource { resource, .. } => Some(format!("what comes after {resource}")),
        Event::Done(_) => None,
    }
}

/// The first bytes of SHA-256 are enough to tell builds of one program apart.
fn digest(file: &Path) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    std::io::copy(&mut std::fs::File::open(file)?, &mut hash)?;
    Ok(hex::encode(&hash.finalize()[..8]))
}

/// Cuts a byte stream into events.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(Event)) {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|&b| b == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            // A line that is no event comes from a newer node: what it means is in others.
            if let Ok(event) = serde_json::from_slice(&line) {
                each(event);
            }
        }
    }
}
