//! A command, or a shell, that a person's own input and output are connected with while it runs.
//!
//! Nothing is gathered: input goes as it can be sent, output is handed over as it comes, and whoever is slow holds
//! the other up. So the memory needed is the same for any amount of data.

use crate::quiet::Quiet;
use crate::{Exit, RemoteError, Session, Stream};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, client};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What is sent at once: an SSH packet.
const CHUNK: usize = 32 * 1024;
/// After a command's end, how long its last output may take between two pieces. What it left running in the
/// background may hold the channel open for ever.
const LINGER: Duration = Duration::from_millis(500);

/// A piece of output.
pub type Piece = (Stream, Vec<u8>);

/// Of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub columns: u32,
    pub rows: u32,
}

/// The operator's terminal, as the machine needs to know it.
#[derive(Debug, Clone)]
pub struct Terminal {
    /// `xterm-256color`.
    pub kind: String,
    pub size: Size,
}

/// It has begun, and waits for its input.
pub struct Attached {
    machine: String,
    /// Where what the login shell says before the command is left out: not at a terminal, where all is shown.
    quiet: Option<Quiet>,
    reading: ChannelReadHalf,
    writing: ChannelWriteHalf<client::Msg>,
}

impl Session {
    /// Begins `command`, or a login shell, at a terminal of its own if there is one here.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn attach(
        &self,
        command: Option<&str>,
        terminal: Option<&Terminal>,
    ) -> Result<Attached, RemoteError> {
        let channel = self.open().await?;
        if let Some(Terminal { kind, size }) = terminal {
            let pty = channel.request_pty(false, kind, size.columns, size.rows, 0, 0, &[]).await;
            pty.map_err(|e| self.broken(e))?;
        }
        let quiet = (command.is_some() && terminal.is_none()).then(Quiet::default);
        match command {
            Some(command) if quiet.is_some() => channel.exec(true, self.as_root(command)).await,
            Some(command) => channel.exec(true, self.on_terminal(command)).await,
            None => channel.request_shell(true).await,
        }
        .map_err(|e| self.broken(e))?;
        let (reading, writing) = channel.split();
        Ok(Attached { machine: self.machine.clone(), quiet, reading, writing })
    }
}

impl Attached {
    /// Until the command ends, whether or not the input has. `sizes` are those of the operator's terminal, as they
    /// change.
    ///
    /// # Errors
    /// When the connection breaks, the input cannot be read, or nobody takes the output any more.
    pub async fn finish(
        self,
        input: impl AsyncRead + Unpin,
        mut sizes: mpsc::Receiver<Size>,
        output: mpsc::Sender<Piece>,
    ) -> Result<Exit, RemoteError> {
        let Self { machine, quiet, reading, writing } = self;
        let resize = async {
            while let Some(size) = sizes.recv().await {
                let _ = writing.window_change(size.columns, size.rows, 0, 0).await;
            }
            std::future::pending::<()>().await;
        };
        let exit = tokio::select! {
            exit = read(&machine, reading, quiet, output) => exit,
            error = feed(&machine, &writing, input) => Err(error),
            () = resize => Err(RemoteError::Closed { machine: machine.clone() }),
        };
        let _ = writing.close().await;
        exit
    }
}

/// Returns only when the input cannot be read.
async fn feed(
    machine: &str,
    writing: &ChannelWriteHalf<client::Msg>,
    mut input: impl AsyncRead + Unpin,
) -> RemoteError {
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        match input.read_buf(&mut chunk).await {
            Ok(0) => break,
            // A command that reads no more says so by ending.
            Ok(_) if writing.data_bytes(chunk).await.is_err() => break,
            Ok(_) => {}
            // Half of an input must not look like the whole.
            Err(source) => return RemoteError::Input { machine: machine.to_owned(), source },
        }
    }
    let _ = writing.eof().await;
    std::future::pending().await
}

async fn read(
    machine: &str,
    mut reading: ChannelReadHalf,
    mut quiet: Option<Quiet>,
    output: mpsc::Sender<Piece>,
) -> Result<Exit, RemoteError> {
    let mut exit = None;
    loop {
        let message = match exit {
            None => reading.wait().await,
            Some(_) => timeout(LINGER, reading.wait()).await.unwrap_or(None),
        };
        let mut pieces: Vec<Piece> = Vec::new();
        let mut keep = |stream: Stream, bytes: &[u8]| {
            pieces.push((stream, bytes.to_vec()));
            Ok(())
        };
        let ended = message.is_none();
        let kept = match (message, &mut quiet) {
            (None, Some(quiet)) => quiet.end(&mut keep),
            (None, None) => Ok(()),
            (Some(ChannelMsg::Data { data }), Some(quiet)) => {
                quiet.pass(Stream::Out, &data, &mut keep)
            }
            (Some(ChannelMsg::ExtendedData { data, .. }), Some(quiet)) => {
                quiet.pass(Stream::Err, &data, &mut keep)
            }
            (Some(ChannelMsg::Data { data }), None) => keep(Stream::Out, &data),
            (Some(ChannelMsg::ExtendedData { data, .. }), None) => keep(Stream::Err, &data),
            (Some(ChannelMsg::ExitStatus { exit_status }), _) => {
                exit = Some(Exit(exit_status));
                Ok(())
            }
            (Some(ChannelMsg::ExitSignal { signal_name, .. }), _) => {
                exit = Some(Exit::signal(&signal_name));
                Ok(())
            }
            (Some(_), _) => Ok(()),
        };
        let failed = |source| RemoteError::Output { machine: machine.to_owned(), source };
        kept.map_err(failed)?;
        for piece in pieces {
            let sent = output.send(piece).await;
            sent.map_err(|_| failed(std::io::ErrorKind::BrokenPipe.into()))?;
        }
        if ended {
            break;
        }
    }
    exit.ok_or_else(|| RemoteError::Closed { machine: machine.to_owned() })
}
