//! Passphrases of a person's keys, asked for on the terminal and shown nowhere.

use crate::exit::{Exit, Stop};
use crate::output::Output;
use crate::project::interactive;
use andamio_operate::{Instance, OpenMode, hosts};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use std::io::{BufRead, Write};

/// How often a person may mistype one.
const TRIES: u32 = 3;

/// Asks for the passphrases of keys that open a server, and of no others.
pub(crate) async fn unlock(
    look: Instance,
    limit: &[String],
    output: &Output,
) -> Result<Instance, Stop> {
    let locked = hosts::locked(&look, limit).await;
    if locked.is_empty() {
        return Ok(look);
    }
    if output.json || !interactive() {
        return Err(hosts::has_passphrase(&locked).into());
    }
    let mut request = look.request;
    for key in &locked {
        let mut left = TRIES;
        while !hosts::unlock(&mut request.access, key, ask(&key.key).await?) {
            output.note("That is not its passphrase.");
            left -= 1;
            if left == 0 {
                return Err(hosts::has_passphrase(&locked).into());
            }
        }
    }
    Ok(Instance::open(request, OpenMode::ReadOnly).await?)
}

async fn ask(key: &str) -> Result<String, Stop> {
    let hidden = Hidden::enter();
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "Passphrase of {key}: ");
    let _ = err.flush();
    drop(err);
    let typed = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let line = tokio::select! {
        line = typed => line,
        // Only so that the terminal shows again what is typed.
        _ = tokio::signal::ctrl_c() => {
            drop(hidden);
            return Err(Stop::NodeReport(Exit::Interrupted));
        }
    };
    drop(hidden);
    let line = line.unwrap_or_else(|e| Err(std::io::Error::other(e)));
    let line = line.map_err(|e| Stop::failed("stdin", e, "run it again on a terminal"))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// The terminal does not show what is typed, for as long as this lives.
struct Hidden(Option<Termios>);

impl Hidden {
    fn enter() -> Self {
        let stdin = std::io::stdin();
        let Ok(before) = tcgetattr(&stdin) else { return Self(None) };
        let mut hidden = before.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        // What was typed before the question is no answer to it.
        let _ = tcsetattr(&stdin, SetArg::TCSAFLUSH, &hidden);
        Self(Some(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, before);
            // The end of the line was not shown either.
            let _ = writeln!(std::io::stderr());
        }
    }
}
