//! Running commands over a [`Session`].

use crate::quiet::Quiet;
use crate::{RemoteError, Session};
use russh::{ChannelMsg, Sig};

/// How a command ended: its exit status, or 128 + signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit(pub u32);

impl Exit {
    #[must_use]
    pub fn success(self) -> bool {
        self.0 == 0
    }

    /// 128 and the signal's number on Linux, as a shell says it.
    pub(crate) fn signal(name: &Sig) -> Self {
        Self(
            128 + match name {
                Sig::HUP => 1,
                Sig::INT => 2,
                Sig::QUIT => 3,
                Sig::ILL => 4,
                Sig::ABRT => 6,
                Sig::FPE => 8,
                Sig::KILL => 9,
                Sig::USR1 => 10,
                Sig::SEGV => 11,
                Sig::PIPE => 13,
                Sig::ALRM => 14,
                Sig::TERM => 15,
                // A name of its own for what the protocol does not name.
                Sig::Custom(name) => match name.split('@').next() {
                    Some("TRAP") => 5,
                    Some("BUS") => 7,
                    Some("USR2") => 12,
                    Some("XCPU") => 24,
                    Some("XFSZ") => 25,
                    Some("SYS") => 31,
                    _ => 0,
                },
            },
        )
    }
}

/// A finished command with what it printed.
#[derive(Debug, Clone)]
pub struct Output {
    pub exit: Exit,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Output {
    /// What the command said went wrong, for an error message.
    #[must_use]
    pub fn complaint(&self) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        let text = text.trim();
        if text.is_empty() { format!("exit status {}", self.exit.0) } else { text.to_owned() }
    }
}

/// Which of the two streams a piece of output came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

impl Session {
    /// Runs `command` through the machine's shell, feeding `stdin` and collecting both outputs.
    ///
    /// # Errors
    /// When the connection breaks. A command that fails is an [`Output`], not an error.
    pub async fn output(&self, command: &str, stdin: &[u8]) -> Result<Output, RemoteError> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let exit = self
            .stream(command, stdin, |stream, bytes| {
                match stream {
                    Stream::Out => stdout.extend_from_slice(bytes),
                    Stream::Err => stderr.extend_from_slice(bytes),
                }
                Ok(())
            })
            .await?;
        Ok(Output { exit, stdout, stderr })
    }

    /// Runs `command`, handing over output piece by piece as it arrives.
    ///
    /// # Errors
    /// When the connection breaks or `each` fails.
    pub async fn stream(
        &self,
        command: &str,
        stdin: &[u8],
        mut each: impl FnMut(Stream, &[u8]) -> std::io::Result<()>,
    ) -> Result<Exit, RemoteError> {
        let channel = self.open().await?;
        channel.exec(true, self.as_root(command)).await.map_err(|e| self.broken(e))?;
        let (mut reading, writing) = channel.split();
        // Input and output flow at once: a command may answer before it has read everything, and a
        // full window in one direction must not stop the other.
        let feed = async {
            if writing.data(stdin).await.is_ok() {
                let _ = writing.eof().await;
            }
        };
        let read = async {
            let mut exit = None;
            let mut quiet = Quiet::default();
            while let Some(message) = reading.wait().await {
                let taken = match message {
                    ChannelMsg::Data { data } => quiet.pass(Stream::Out, &data, &mut each),
                    ChannelMsg::ExtendedData { data, .. } => {
                        quiet.pass(Stream::Err, &data, &mut each)
                    }
                    ChannelMsg::ExitStatus { exit_status } => {
                        exit = Some(Exit(exit_status));
                        Ok(())
                    }
                    ChannelMsg::ExitSignal { signal_name, .. } => {
                        exit = Some(Exit::signal(&signal_name));
                        Ok(())
                    }
                    _ => Ok(()),
                };
                taken.map_err(|source| RemoteError::Output {
                    machine: self.machine.clone(),
                    source,
                })?;
            }
            // Whoever did not run the command said why.
            quiet
                .end(&mut each)
                .map_err(|source| RemoteError::Output { machine: self.machine.clone(), source })?;
            exit.ok_or_else(|| RemoteError::Closed { machine: self.machine.clone() })
        };
        tokio::pin!(feed);
        tokio::pin!(read);
        tokio::select! {
            exit = &mut read => exit,
            () = &mut feed => read.await,
        }
    }
}
