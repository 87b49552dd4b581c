//! What is larger than memory may be: a context that is made while it is sent, and an image from one machine to another.

use andamio_engine::ErrorReport;
use andamio_remote::{Exit, Piece, RemoteError, Session, Stream};
use std::io::{self, BufWriter, Write};
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

/// Pieces on their way: whoever is slow holds the other up.
const PIECES: usize = 16;
/// Of what a command says, the end is enough.
const SAID: usize = 256 * 1024;

/// Runs `command`, whose input `write` makes as it is taken, and hands over what it says went wrong. The first result is the
/// command's, the second that of `write`.
///
/// # Errors
/// When the connection breaks.
pub(super) async fn feed(
    session: &Session,
    command: &str,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
    mut heard: impl FnMut(Stream, &[u8]),
) -> Result<(Exit, io::Result<()>), RemoteError> {
    let (input, written) = match pipe() {
        Ok((ours, theirs)) => (ours, theirs),
        Err(source) => {
            return Err(RemoteError::Input { machine: session.machine().to_owned(), source });
        }
    };
    // It ends with `input`: writing fails as soon as nobody reads.
    let writer = tokio::task::spawn_blocking(move || {
        let mut out = BufWriter::with_capacity(PIECES * 16 * 1024, written);
        write(&mut out)?;
        out.flush()
    });
    let (sender, mut pieces) = mpsc::channel::<Piece>(PIECES);
    let hear = async {
        while let Some((stream, bytes)) = pieces.recv().await {
            heard(stream, &bytes);
        }
    };
    let exit = tokio::join!(run(session, command, input, sender), hear).0?;
    Ok((exit, writer.await.unwrap_or_else(|e| Err(io::Error::other(e)))))
}

/// The other end is for a thread that may wait.
fn pipe() -> io::Result<(UnixStream, std::os::unix::net::UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    let theirs = theirs.into_std()?;
    theirs.set_nonblocking(false)?;
    Ok((ours, theirs))
}

/// Until `command` ends; its output goes to `pieces`.
async fn run(
    session: &Session,
    command: &str,
    input: impl AsyncRead + Unpin,
    pieces: mpsc::Sender<Piece>,
) -> Result<Exit, RemoteError> {
    let attached = session.attach(Some(command), None).await?;
    let (_, sizes) = mpsc::channel(1);
    attached.finish(input, sizes, pieces).await
}

/// The end of what a command says.
#[derive(Default)]
pub(super) struct Said(Vec<u8>);

impl Said {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        if self.0.len() > 2 * SAID {
            self.0.drain(..self.0.len() - SAID);
        }
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).trim().to_owned()
    }
}

/// What `save` prints on one machine becomes the input of `load` on another.
pub(super) async fn across(
    from: &Session,
    save: &str,
    to: &Session,
    load: &str,
) -> Result<(), ErrorReport> {
    let broken = |e: &dyn std::fmt::Display| {
        ErrorReport::new("image-copy", e.to_string(), "run the same command again")
    };
    let (input, mut output) = UnixStream::pair().map_err(|e| broken(&e))?;
    let (mut saving, mut loading) = (Said::default(), Said::default());
    let (saver, mut saved_pieces) = mpsc::channel::<Piece>(PIECES);
    let (loader, mut loaded_pieces) = mpsc::channel::<Piece>(PIECES);
    let pass = async {
        while let Some((stream, bytes)) = saved_pieces.recv().await {
            match stream {
                Stream::Err => saving.add(&bytes),
                // Whoever does not take it says why.
                Stream::Out => drop(output.write_all(&bytes).await),
            }
        }
        let _ = output.shutdown().await;
    };
    let hear = async {
        while let Some((_, bytes)) = loaded_pieces.recv().await {
            loading.add(&bytes);
        }
    };
    let (saved, loaded, (), ()) = tokio::join!(
        run(from, save, tokio::io::empty(), saver),
        run(to, load, input, loader),
        pass,
        hear,
    );
    let check = |exit: Result<Exit, RemoteError>, said: &Said, help: &str| match exit {
        Ok(exit) if exit.success() => Ok(()),
        Ok(exit) if said.0.is_empty() => {
            Err(ErrorReport::new("image-copy", format!("exit status {}", exit.0), help))
        }
        Ok(_) => Err(ErrorReport::new("image-copy", said.text(), help)),
        Err(e) => Err(crate::failure::remote_fault(&e)),
    };
    check(saved, &saving, "run the same command again")?;
    check(loaded, &loading, "is the machine's disk full?")
}
