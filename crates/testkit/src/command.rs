//! Running a program to its end with a deadline, or beside the test with its events as they come.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::cell::RefCell;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// What a program ended with.
#[derive(Debug)]
pub struct Ended {
    pub command: String,
    /// `None` after a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.map_or("a signal".to_owned(), |c| c.to_string());
        writeln!(f, "`{}` ended with {code}", self.command)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let lines: Vec<&str> = text.lines().collect();
            let from = lines.len().saturating_sub(25);
            for line in &lines[from..] {
                let line: String = line.chars().take(400).collect();
                writeln!(f, "  {name}: {line}")?;
            }
        }
        Ok(())
    }
}

impl Ended {
    /// Goes on only with this exit status.
    #[must_use]
    pub fn expect(self, code: i32) -> Self {
        assert!(self.code == Some(code), "expected {code}: {self}");
        self
    }

    /// The one document that `--json` prints, checked for what every object has.
    #[must_use]
    pub fn json(&self) -> Value {
        let objects = self.lines();
        assert!(objects.len() == 1, "expected one document: {self}");
        objects.into_iter().next().unwrap()
    }

    /// The JSON Lines of standard output.
    #[must_use]
    pub fn lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| object(line, self)).collect()
    }
}

/// Every object has `"v":1` and a `type` (contract).
fn object(line: &str, of: &dyn fmt::Display) -> Value {
    let value: Value =
        serde_json::from_str(line).unwrap_or_else(|e| panic!("not JSON ({e}): {line}\n{of}"));
    assert!(value["v"] == 1 && value["type"].is_string(), "no v or type: {line}\n{of}");
    value
}

/// Runs to the end; kills it and panics when `deadline` passes first.
#[must_use]
pub fn run(command: Command, deadline: Duration) -> Ended {
    run_with(command, "", deadline)
}

/// The same, with standard input.
#[must_use]
pub fn run_with(mut command: Command, input: &str, deadline: Duration) -> Ended {
    let name = show(&command);
    let begun = Instant::now();
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|e| panic!("`{name}`: {e}"));
    let pid = pid(&child);
    let stdin = child.stdin.take();
    let input = input.to_owned();
    thread::spawn(move || {
        // Who reads none of it is no failure.
        stdin.map(|mut stdin| std::io::Write::write_all(&mut stdin, input.as_bytes()))
    });
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let output = match receiver.recv_timeout(deadline) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            let _ = kill(pid, Signal::SIGKILL);
            panic!("`{name}` did not end within {:.0} s", deadline.as_secs_f64());
        }
    };
    Ended {
        command: name,
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        took: begun.elapsed(),
    }
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|w| w.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

/// A program that runs beside the test, each line of its standard output an event.
pub struct Running {
    command: String,
    child: Child,
    events: Receiver<String>,
    complaints: Option<thread::JoinHandle<String>>,
    /// What it said so far, for whoever asks why it ended.
    said: RefCell<String>,
    begun: Instant,
}

impl Running {
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        let name = show(&command);
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|e| panic!("`{name}`: {e}"));
        let (sender, events) = channel();
        let stdout = child.stdout.take().unwrap();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut stderr = child.stderr.take().unwrap();
        let complaints = thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let (complaints, said) = (Some(complaints), RefCell::default());
        Self { command: name, child, events, complaints, said, begun: Instant::now() }
    }

    /// The first line that answers; `None` when the program ended before there was one.
    pub fn line<T>(
        &self,
        what: &str,
        deadline: Duration,
        mut look: impl FnMut(&str) -> Option<T>,
    ) -> Option<T> {
        let end = Instant::now() + deadline;
        loop {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.said.borrow_mut().extend([line.as_str(), "\n"]);
                    if let Some(answer) = look(&line) {
                        return Some(answer);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    let seconds = deadline.as_secs_f64();
                    panic!("`{}`: waited {seconds:.0} s for {what}", self.command)
                }
            }
        }
    }

    /// The first event that is looked for; `None` when the run ended before it.
    pub fn event(
        &self,
        what: &str,
        deadline: Duration,
        mut is_it: impl FnMut(&Value) -> bool,
    ) -> Option<Value> {
        self.line(what, deadline, |line| {
            let event = object(line, &self.command);
            is_it(&event).then_some(event)
        })
    }

    /// It stands still and does not know.
    pub fn pause(&self) {
        kill(pid(&self.child), Signal::SIGSTOP).unwrap();
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        kill(pid(&self.child), Signal::SIGINT).unwrap();
    }

    /// As pulling the plug on it; nothing of it can react.
    pub fn kill(&mut self) {
        let _ = kill(pid(&self.child), Signal::SIGKILL);
        let _ = self.child.wait();
    }

    /// Waits for the end, or for the moment that a kill is due. True when it ended by itself.
    pub fn ended_within(&mut self, patience: Duration) -> bool {
        let end = self.begun + patience;
        loop {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return false,
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().is_ok(),
            }
        }
    }

    /// Waits for the end.
    #[must_use]
    pub fn end(mut self, deadline: Duration) -> Ended {
        let _ = self.line("its end", deadline, |_| None::<()>);
        let status = self.child.wait().unwrap();
        let stderr = self.complaints.take().map(|t| t.join().unwrap_or_default());
        Ended {
            command: self.command.clone(),
            code: status.code(),
            stdout: self.said.take(),
            stderr: stderr.unwrap_or_default(),
            took: self.begun.elapsed(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.kill();
        }
    }
}
