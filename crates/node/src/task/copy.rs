//! The whole data of one MariaDB server as the data of another, from server to server.

use super::{DATA, MARIADB, systemd};
use crate::failure::{Context, Failure, Result};
use crate::net::mysql::{Client, literal};
use crate::net::tls;
use crate::process;
use andamio_manifest::MARIADB_IDENTITY;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio_rustls::server::TlsStream;

/// On the data's own file system, so that taking its place is a rename.
const COPY: &str = "/var/lib/mysql-copy";
const CONNECT: Duration = Duration::from_secs(30);
/// Applying the log of what was written while it was sent.
const PREPARE: Duration = Duration::from_secs(3600);
const TOOL: &str = "/usr/bin/mariabackup";

pub(super) async fn receive(listen: &str, from: &str, socket: &str) -> Result<()> {
    let listener = TcpListener::bind(listen).await.during(format!("listening on {listen}"))?;
    let stream = tokio::time::timeout(CONNECT, accept(&listener, from))
        .await
        .during(format!("waiting for {from}"))??;
    let copy = Path::new(COPY);
    if copy.exists() {
        fs::remove_dir_all(copy).during(format!("removing {COPY}"))?;
    }
    fs::create_dir(copy).during(format!("making {COPY}"))?;
    unpack(tls::accept(stream, MARIADB_IDENTITY).await?).await?;
    process::run(&[TOOL, "--prepare", &format!("--target-dir={COPY}")], "", PREPARE).await?;
    let position = position(copy)?;
    let systemd = systemd().await?;
    systemd.job("StopUnit", MARIADB).await?;
    // The folder itself stays: it may be a mount point, or of a layer that cannot be renamed.
    for old in entries(Path::new(DATA))? {
        let removed = if old.is_dir() { fs::remove_dir_all(&old) } else { fs::remove_file(&old) };
        removed.during(format!("removing {}", old.display()))?;
    }
    for new in entries(copy)? {
        let name = new.file_name().unwrap_or_default();
        fs::rename(&new, Path::new(DATA).join(name)).during(format!("moving {}", new.display()))?;
    }
    process::run(&["chown", "-R", "mysql:mysql", DATA], "", CONNECT).await?;
    fs::remove_dir(copy).during(format!("removing {COPY}"))?;
    systemd.job("StartUnit", MARIADB).await?;
    let mut client = Client::root(socket).await?;
    client.query("STOP ALL SLAVES").await?;
    client.query("RESET SLAVE ALL").await?;
    client.query(&format!("SET GLOBAL gtid_slave_pos = {}", literal(&position))).await.map(drop)
}

async fn accept(listener: &TcpListener, from: &str) -> Result<TcpStream> {
    loop {
        let (stream, peer) = listener.accept().await.during("accepting a connection")?;
        if peer.ip().to_string() == from {
            return Ok(stream);
        }
    }
}

async fn unpack(mut stream: TlsStream<TcpStream>) -> Result<()> {
    let mut child = Command::new("/usr/bin/mbstream")
        .args(["-x", "-C", COPY])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .during("starting mbstream")?;
    if let Some(mut input) = child.stdin.take() {
        tokio::io::copy(&mut stream, &mut input).await.during("receiving the data")?;
        input.shutdown().await.during("receiving the data")?;
    }
    let status = child.wait().await.during("waiting for mbstream")?;
    if status.success() { Ok(()) } else { Err(Failure::new("what arrived is not a whole copy")) }
}

/// GTIDs that the copy has: the third word of the file that the tool leaves in it.
fn position(copy: &Path) -> Result<String> {
    let names = ["mariadb_backup_binlog_info", "xtrabackup_binlog_info"];
    let text = names.iter().find_map(|name| fs::read_to_string(copy.join(name)).ok());
    let text = text.ok_or_else(|| Failure::new("the copy does not say where it ends"))?;
    Ok(text.split_whitespace().nth(2).unwrap_or_default().to_owned())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = fs::read_dir(folder).during(format!("reading {}", folder.display()))?;
    Ok(read.filter_map(|entry| Some(entry.ok()?.path())).collect())
}

pub(super) async fn send(to: &str, socket: &str) -> Result<()> {
    let stream = tokio::time::timeout(CONNECT, connect(to)).await.during(to)?;
    let host = to.rsplit_once(':').map_or(to, |(host, _)| host);
    let mut stream = tls::connect(stream, host, Some(MARIADB_IDENTITY)).await?;
    let log = fs::File::create("/run/andamio-copy.log").during("making /run/andamio-copy.log")?;
    let mut child = Command::new(TOOL)
        .args(["--backup", "--stream=mbstream", "--user=root", "--target-dir=/tmp"])
        .arg(format!("--socket={socket}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .during(format!("starting {TOOL}"))?;
    if let Some(mut output) = child.stdout.take() {
        tokio::io::copy(&mut output, &mut stream).await.during("sending the data")?;
    }
    let status = child.wait().await.during(format!("waiting for {TOOL}"))?;
    if !status.success() {
        return Err(Failure::new(format!("{TOOL} failed ({status}); see /run/andamio-copy.log")));
    }
    stream.shutdown().await.during("sending the data")
}

/// The other side begins to listen at about the same moment.
async fn connect(to: &str) -> TcpStream {
    loop {
        if let Ok(stream) = TcpStream::connect(to).await {
            return stream;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
