//! A command, or a shell, that a person's own input and output are connected with while it runs.
//!
//! Nothing is gathered: input goes as it can be sent, output is handed over as it comes, and whoever is slow holds
//! the other up. So the memory needed is the same for any amount of data.

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
        let channel = self.handle.channel_open_session().await.map_err(|e| self.broken(e))?;
        if let Some(Terminal { kind, size }) = terminal {
            let pty = channel.request_pty(false, kind, size.columns, size.rows, 0, 0, &[]).await;
            pty.map_err(|e| self.broken(e))?;
        }
        match command {
            Some(command) => channel.exec(true, self.as_root(command)).await,
            None => channel.request_shell(true).await,
        }
        .map_err(|e| self.broken(e))?;
        let (reading, writing) = channel.split();
        Ok(Attached { machine: self.machine.clone(), reading, writing })
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
        let Self { machine, reading, writing } = self;
        let resize = async {
            while let Some(size) = sizes.recv().await {
                let _ = writing.window_change(size.columns, size.rows, 0, 0).await;
            }
            std::future::pending::<()>().await;
        };
        let exit = tokio::select! {
            exit = read(&machine, reading, output) => exit,
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
    output: mpsc::Sender<Piece>,
) -> Result<Exit, RemoteError> {
    let mut exit = None;
    loop {
        let message = match exit {
            None => reading.wait().await,
            Some(_) => timeout(LINGER, reading.wait()).await.unwrap_or(None),
        };
        let piece = match message {
            None => break,
            Some(ChannelMsg::Data { data }) => (Stream::Out, data.to_vec()),
            Some(ChannelMsg::ExtendedData { data, .. }) => (Stream::Err, data.to_vec()),
            Some(ChannelMsg::ExitStatus { exit_status }) => {
                exit = Some(Exit(exit_status));
                continue;
            }
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                exit = Some(Exit::signal(&signal_name));
                continue;
            }
            Some(_) => continue,
        };
        output.send(piece).await.map_err(|_| RemoteError::Output {
            machine: machine.to_owned(),
            source: std::io::ErrorKind::BrokenPipe.into(),
        })?;
    }
    exit.ok_or_else(|| RemoteError::Closed { machine: machine.to_owned() })
}
