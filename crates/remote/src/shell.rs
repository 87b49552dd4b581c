//! Quoting, and a person's interactive shell.

use crate::{Exit, RemoteError, Session};
use russh::ChannelMsg;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// Quotes arguments for a shell, separated by spaces. Backslashes stand outside of the quotes, where fish and csh read
/// them as POSIX shells do.
#[must_use]
pub fn quote<S: AsRef<str>>(arguments: &[S]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%_+=:,./-".contains(c);
    let quoted = arguments.iter().map(|argument| {
        let argument = argument.as_ref();
        if !argument.is_empty() && argument.chars().all(plain) {
            argument.to_owned()
        } else {
            let mut text = String::from("'");
            for c in argument.chars() {
                match c {
                    '\\' => text.push_str(r"'\\'"),
                    '\'' => text.push_str(r"'\''"),
                    c => text.push(c),
                }
            }
            text + "'"
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// The operator's terminal, as the machine needs to know it.
pub struct Terminal {
    pub kind: String,
    pub columns: u32,
    pub rows: u32,
}

impl Session {
    /// A login shell (or `command`) connected to the given input and output until it ends.
    ///
    /// # Errors
    /// When the connection breaks or the output cannot be written.
    pub async fn interactive(
        &self,
        command: Option<&str>,
        terminal: Option<&Terminal>,
        input: impl AsyncRead + Unpin,
        mut output: impl AsyncWrite + Unpin,
    ) -> Result<Exit, RemoteError> {
        let channel = self.open().await?;
        if let Some(t) = terminal {
            let pty = channel.request_pty(false, &t.kind, t.columns, t.rows, 0, 0, &[]).await;
            pty.map_err(|e| self.broken(e))?;
        }
        match command {
            Some(command) => channel.exec(true, self.on_terminal(command)).await,
            None => channel.request_shell(true).await,
        }
        .map_err(|e| self.broken(e))?;
        let (mut reading, writing) = channel.split();
        let feed = async {
            if writing.data(input).await.is_ok() {
                let _ = writing.eof().await;
            }
            std::future::pending::<()>().await;
        };
        let read = async {
            let mut exit = None;
            while let Some(message) = reading.wait().await {
                match message {
                    ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. } => {
                        let written = async {
                            output.write_all(&data).await?;
                            output.flush().await
                        };
                        written.await.map_err(|source| RemoteError::Output {
                            machine: self.machine.clone(),
                            source,
                        })?;
                    }
                    ChannelMsg::ExitStatus { exit_status } => exit = Some(Exit(exit_status)),
                    ChannelMsg::ExitSignal { .. } => exit = Some(Exit(128)),
                    _ => {}
                }
            }
            exit.ok_or_else(|| RemoteError::Closed { machine: self.machine.clone() })
        };
        tokio::select! {
            exit = read => exit,
            () = feed => Err(RemoteError::Closed { machine: self.machine.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn quoting_survives_a_shell() {
        let given =
            ["plain", "two words", "it's", "", "$HOME", "a;b", "ñ", "new\nline", r"a\\b\", r"\'"];
        let script = format!("printf '%s\\0' {}", quote(&given));
        let printed =
            std::process::Command::new("sh").arg("-c").arg(script).output().unwrap().stdout;
        let text = String::from_utf8(printed).unwrap();
        let back: Vec<&str> = text.strip_suffix('\0').unwrap().split('\0').collect();
        assert_eq!(back, given);
    }
}
