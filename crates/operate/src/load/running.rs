//! A load under way: how it is started, what it says, and how it is ended early.

use super::{Requests, live, session, with_options};
use crate::Failure;
use crate::failure::remote_fault;
use crate::instance::Shared;
use andamio_converge::outsider;
use andamio_engine::ErrorReport;
use andamio_manifest::{AUTHORITY, LoadFigures, LoadJob, LoadLine};
use andamio_provision::Found;
use andamio_remote::{Session, Stream, quote};
use andamio_spec::topology::Entry;
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Bytes of what a program prints that are kept: figures are smaller, and so is a complaint.
const MOST: usize = 4 << 20;

/// What there is to say of a second that is over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    pub second: u32,
    pub requests: u64,
    pub failures: u64,
    pub p99_ms: f64,
}

/// A load under way.
pub struct Running {
    /// Comes when the first request is due.
    pub begun: oneshot::Receiver<()>,
    /// A second each; nothing where the application's own program sends.
    pub progress: mpsc::UnboundedReceiver<Progress>,
    pub ended: JoinHandle<Result<LoadFigures, ErrorReport>>,
    session: Arc<Session>,
    process: Arc<Mutex<Option<u32>>>,
}

/// What the shell says that becomes the load.
#[derive(Deserialize)]
struct Process {
    pid: u32,
}

impl Running {
    /// Starts `rate` requests a second for `seconds`.
    ///
    /// # Errors
    /// When the machine cannot be reached.
    pub async fn start(
        instance: &Shared,
        from: &Found,
        requests: &Requests,
        rate: u32,
        seconds: u32,
    ) -> Result<Self, Failure> {
        let session = session(instance, from).await?;
        let agent = instance.nodes.agent_on(&session).await?;
        let topology = &instance.topology;
        let (argv, input) = match requests {
            Requests::Own(requests) => {
                let named = matches!(topology.entry, Entry::Acme { .. });
                let job = LoadJob {
                    v: 1,
                    url: topology.url.clone(),
                    // This environment is asked, wherever its domain leads.
                    address: topology.entry_address().filter(|_| named).map(|a| a.to_string()),
                    authority: topology.entry.is_encrypted().then(|| AUTHORITY.to_owned()),
                    rate,
                    seconds,
                    requests: requests.clone(),
                };
                let input = serde_json::to_vec(&job).map_err(|e| {
                    ErrorReport::from_error("load", &e, "this is a fault of Andamio")
                })?;
                (vec![agent.to_owned(), "node".to_owned(), "load".to_owned()], input)
            }
            Requests::Program { command, accounts } => {
                let (rate, seconds) = (rate.to_string(), seconds.to_string());
                let words =
                    ["load", "--url", &topology.url, "--rate", &rate, "--seconds", &seconds];
                let mut argv = command.clone();
                argv.extend(words.map(str::to_owned));
                argv.push("--json".to_owned());
                let podman = outsider(&live(instance).await?, topology.entry.is_encrypted(), &argv);
                // An interrupt ends a program only where it is not the first process, or handles it.
                let init = format!("--init-path={agent}");
                (with_options(podman, &["--init", &init]), accounts.clone())
            }
        };
        let (begin, begun) = oneshot::channel();
        let (tell, progress) = mpsc::unbounded_channel();
        let process = Arc::default();
        let reader = Reader::new(begin, tell, Arc::clone(&process));
        let ended = tokio::spawn(reader.follow(Arc::clone(&session), started(&argv), input));
        Ok(Self { begun, progress, ended, session, process })
    }

    /// Asks it to end now, with the figures so far.
    pub async fn interrupt(&self) {
        let process = *self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(process) = process {
            // It may have ended by itself.
            let _ = self.session.output(&format!("kill -INT {process}"), &[]).await;
        }
    }
}

/// A shell that says which process the load is. A connection is an open file, and the usual thousand are fewer than
/// may be needed.
fn started(argv: &[String]) -> String {
    let line =
        format!("ulimit -n \"$(ulimit -Hn)\"; echo '{{\"pid\":'$$'}}' >&2; exec {}", quote(argv));
    quote(&["sh", "-c", &line])
}

/// Reads what a load says: lines that mean something, wherever they come, and the rest.
struct Reader {
    begin: Option<oneshot::Sender<()>>,
    tell: mpsc::UnboundedSender<Progress>,
    process: Arc<Mutex<Option<u32>>>,
    figures: Option<LoadFigures>,
    /// Of each stream, what is no whole line yet.
    open: [Vec<u8>; 2],
    /// Of each stream, other lines.
    other: [Vec<u8>; 2],
}

impl Reader {
    fn new(
        begin: oneshot::Sender<()>,
        tell: mpsc::UnboundedSender<Progress>,
        process: Arc<Mutex<Option<u32>>>,
    ) -> Self {
        let nothing = || [Vec::new(), Vec::new()];
        let (open, other) = (nothing(), nothing());
        Self { begin: Some(begin), tell, process, figures: None, open, other }
    }

    async fn follow(
        mut self,
        session: Arc<Session>,
        line: String,
        input: Vec<u8>,
    ) -> Result<LoadFigures, ErrorReport> {
        let each = |stream, bytes: &[u8]| {
            self.take(stream, bytes);
            Ok(())
        };
        let exit = session.stream(&line, &input, each).await.map_err(|e| remote_fault(&e))?;
        self.end(exit.0)
    }

    fn take(&mut self, stream: Stream, bytes: &[u8]) {
        let index = usize::from(stream == Stream::Err);
        let Some(open) = self.open.get_mut(index) else { return };
        open.extend_from_slice(bytes);
        let mut text = std::mem::take(open);
        while let Some(end) = text.iter().position(|&b| b == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            self.line(index, &line);
        }
        if text.len() > MOST {
            text.clear();
        }
        if let Some(open) = self.open.get_mut(index) {
            *open = text;
        }
    }

    fn line(&mut self, index: usize, line: &[u8]) {
        match serde_json::from_slice(line) {
            Ok(LoadLine::Begun) => {
                if let Some(begin) = self.begin.take() {
                    let _ = begin.send(());
                }
            }
            Ok(LoadLine::Progress { second, requests, failures, p99_ms }) => {
                // Not everybody wants to know.
                let _ = self.tell.send(Progress { second, requests, failures, p99_ms });
            }
            Ok(LoadLine::Figures(figures)) => self.figures = Some(figures),
            Err(_) => {
                let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
                match serde_json::from_slice(line) {
                    Ok(Process { pid }) if process.is_none() => *process = Some(pid),
                    _ => {
                        if let Some(other) = self.other.get_mut(index)
                            && other.len() < MOST
                        {
                            other.extend_from_slice(line);
                        }
                    }
                }
            }
        }
    }

    /// A program's figures are all that it prints.
    fn end(mut self, exit: u32) -> Result<LoadFigures, ErrorReport> {
        for index in [0, 1] {
            let rest = self.open.get_mut(index).map(std::mem::take).unwrap_or_default();
            self.line(index, &rest);
        }
        let [out, err] = &self.other;
        self.figures.or_else(|| serde_json::from_slice(out).ok()).ok_or_else(|| {
            let said = String::from_utf8_lossy(err);
            let message = format!("the load ended with status {exit}: {}", said.trim());
            ErrorReport::new("load", message, "is the environment healthy? see `andamio status`")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Ears = (oneshot::Receiver<()>, mpsc::UnboundedReceiver<Progress>);

    fn reader() -> (Reader, Ears) {
        let (begin, begun) = oneshot::channel();
        let (tell, progress) = mpsc::unbounded_channel();
        (Reader::new(begin, tell, Arc::default()), (begun, progress))
    }

    #[test]
    fn lines_mean_something_however_they_are_cut() {
        let (mut reader, (mut begun, mut progress)) = reader();
        reader.take(Stream::Err, b"a warning of podman: 200 requests a second\n{\"pid\":");
        reader.take(Stream::Err, b"7}\n{\"pid\":8}\n");
        assert_eq!(*reader.process.lock().unwrap(), Some(7));
        assert!(begun.try_recv().is_err());
        reader.take(Stream::Err, b"{\"v\":1,\"type\":\"begun\",\"rate\":200}\n");
        assert!(begun.try_recv().is_ok());
        let line =
            "{\"type\":\"progress\",\"second\":1,\"requests\":9,\"failures\":2,\"p99_ms\":1.5}\n";
        reader.take(Stream::Out, line.as_bytes());
        let told = Progress { second: 1, requests: 9, failures: 2, p99_ms: 1.5 };
        assert_eq!(progress.try_recv(), Ok(told));
        reader.take(Stream::Out, b"{\"type\":\"figures\",\"requests\":9,\"failures\":2,");
        reader.take(Stream::Out, b"\"longest_gap_ms\":4}");
        let figures = reader.end(0).unwrap();
        assert_eq!((figures.requests, figures.failures, figures.lost()), (9, 2, None));
    }

    #[test]
    fn a_program_s_figures_are_all_that_it_prints() {
        let (mut reader, _ears) = reader();
        let text = "{\n\"requests\": 9, \"failures\": 0,\n\"longest_gap_ms\": 4, \"acknowledged\": 8,\n\"missing\": 1, \"unread\": 2}\n";
        reader.take(Stream::Out, text.as_bytes());
        let figures = reader.end(1).unwrap();
        assert_eq!((figures.acknowledged, figures.lost()), (Some(8), Some(3)));
    }

    #[test]
    fn a_load_that_says_no_figures_says_why() {
        let (mut reader, _ears) = reader();
        reader.take(Stream::Err, b"{\"pid\":7}\nno accounts\n");
        let error = reader.end(64).unwrap_err();
        assert_eq!(error.message, "the load ended with status 64: no accounts");
    }
}
