//! A program at a terminal of its own, whose keys the test presses.

use crate::wait::until;
use nix::pty::{Winsize, openpty};
use nix::unistd::ttyname;
use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

pub struct AtTerminal {
    keys: File,
    terminal: PathBuf,
    child: Child,
    shown: Arc<Mutex<String>>,
}

impl AtTerminal {
    /// Starts it in front of a terminal of 24 lines and 80 columns.
    #[must_use]
    pub fn start(command: &Command) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).unwrap();
        let terminal = ttyname(&pair.slave).unwrap();
        // A session of its own, which the terminal on standard input belongs to.
        let mut own = Command::new("setsid");
        own.arg("--ctty").arg(command.get_program()).args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            own.current_dir(folder);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => own.env(name, value),
                None => own.env_remove(name),
            };
        }
        let stdio = || Stdio::from(pair.slave.try_clone().unwrap());
        own.env("TERM", "xterm").stdin(stdio()).stdout(stdio()).stderr(stdio());
        let child = own.spawn().unwrap();
        drop(own);
        drop(pair.slave);
        let keys = File::from(pair.master);
        let mut screen = keys.try_clone().unwrap();
        let shown = Arc::new(Mutex::new(String::new()));
        let writer = Arc::clone(&shown);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Its end is an error: the last program let go of the terminal.
            while let Ok(length @ 1..) = screen.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                writer.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
        });
        Self { keys, terminal, child, shown }
    }

    /// Presses keys; a line ends with `\r`.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Makes it larger or smaller.
    pub fn resize(&self, rows: u16, columns: u16) {
        let (rows, columns) = (rows.to_string(), columns.to_string());
        let words = ["rows", &rows, "cols", &columns];
        let status = Command::new("stty").arg("-F").arg(&self.terminal).args(words).status();
        assert!(status.unwrap().success());
    }

    /// Everything that was shown so far.
    #[must_use]
    pub fn shown(&self) -> String {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until this is shown.
    pub fn shows(&self, text: &str) {
        until(&format!("`{text}` on the terminal"), Duration::from_secs(30), || {
            let shown = self.shown();
            if shown.contains(text) { Ok(()) } else { Err(shown) }
        });
    }

    /// Waits for its end; `None` after a signal.
    #[must_use]
    pub fn end(&mut self) -> Option<i32> {
        until("the end of what is at the terminal", Duration::from_secs(30), || {
            self.child.try_wait().unwrap().ok_or_else(|| self.shown())
        })
        .code()
    }
}

impl Drop for AtTerminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
