//! The hosts: an SSH server each, with a host key of its own, a folder of files, and the node's code.

use andamio_manifest::{Directory, File, Kind, Manifest, Resource, Text, VERSION};
use andamio_node::{Mode, serve};
use andamio_remote::KeyPair;
use russh::keys::{PrivateKey, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;

/// About what role `base` declares in files.
const FILES: usize = 20;

/// What the controller is told.
#[derive(Serialize, Deserialize)]
pub(crate) struct List {
    /// The operator's private key, made for this run.
    pub(crate) identity: String,
    pub(crate) hosts: Vec<Host>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Host {
    pub(crate) port: u16,
    /// Its public host key.
    pub(crate) key: String,
    /// What it already is.
    pub(crate) manifest: Manifest,
}

/// Serves until standard input ends.
pub(crate) fn run(count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let operator = KeyPair::generate().unwrap();
    let allowed = PublicKey::from_openssh(&operator.public).unwrap();
    let hosts = (0..count).map(|number| {
        let name = format!("host-{number}");
        let manifest = furnish(&folder.path().join(&name), &name);
        let key = KeyPair::generate().unwrap();
        let config = Config {
            keys: vec![PrivateKey::from_openssh(&key.private).unwrap()],
            nodelay: true,
            ..Config::default()
        };
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(listen(listener, Arc::new(config), allowed.clone()));
        Host { port, key: key.public, manifest }
    });
    let list = List { hosts: hosts.collect(), identity: operator.private };
    println!("{}", serde_json::to_string(&list).unwrap());
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    runtime.shutdown_background();
}

/// Makes a host's files, and the manifest that declares them as they are.
fn furnish(folder: &Path, name: &str) -> Manifest {
    let mode = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let declared = |kind| Resource { kind, role: "base".to_owned() };
    std::fs::create_dir(folder).unwrap();
    mode(folder, 0o755);
    let owner = || "root".to_owned();
    let directory = Directory {
        path: folder.display().to_string(),
        mode: 0o755,
        owner: owner(),
        group: owner(),
        exclusive: true,
    };
    let mut resources = vec![declared(Kind::Directory(directory))];
    for number in 0..FILES {
        let path = folder.join(format!("file-{number}.conf"));
        let text = format!("# {name}\n{}", "setting = value\n".repeat(40));
        std::fs::write(&path, &text).unwrap();
        mode(&path, 0o644);
        resources.push(declared(Kind::File(File {
            path: path.display().to_string(),
            content: Some(Text { text, sensitive: false }),
            mode: 0o644,
            owner: owner(),
            group: owner(),
            validate: Vec::new(),
        })));
    }
    Manifest {
        v: VERSION,
        machine: name.to_owned(),
        // All hosts have this machine's name.
        keeps_hostname: true,
        instance: "bench@hosts".to_owned(),
        generation: 1,
        part: false,
        stand_ins: false,
        resources,
    }
}

async fn listen(listener: TcpListener, config: Arc<Config>, allowed: PublicKey) {
    while let Ok((socket, _)) = listener.accept().await {
        let _ = socket.set_nodelay(true);
        let connection =
            Connection { allowed: allowed.clone(), command: String::new(), input: Vec::new() };
        let config = Arc::clone(&config);
        tokio::spawn(async move {
            if let Ok(running) = russh::server::run_stream(config, socket, connection).await {
                let _ = running.await;
            }
        });
    }
}

/// One controller's connection, with one command at a time.
struct Connection {
    allowed: PublicKey,
    command: String,
    input: Vec<u8>,
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        let known = key.public_key.key_data() == self.allowed.key_data();
        Ok(if known && user == "root" { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.command = String::from_utf8_lossy(command).into_owned();
        self.input.clear();
        session.channel_success(channel)
    }

    async fn data(
        &mut self,
        _channel: ChannelId,
        data: &[u8],
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.input.extend_from_slice(data);
        Ok(())
    }

    async fn channel_eof(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let (handle, input) = (session.handle(), std::mem::take(&mut self.input));
        let is_check = self.command.ends_with(" node apply --check");
        tokio::spawn(async move {
            let (status, output) = if is_check {
                let work = tokio::task::spawn_blocking(move || check(&input));
                work.await.unwrap_or((255, Vec::new()))
            } else {
                (127, Vec::new())
            };
            let _ = handle.data(channel, output).await;
            let _ = handle.exit_status_request(channel, status).await;
            let _ = handle.eof(channel).await;
            let _ = handle.close(channel).await;
        });
        Ok(())
    }
}

/// What `andamio node apply --check` does with its input, and its exit status.
fn check(input: &[u8]) -> (u32, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut output = Vec::new();
    let report = runtime.block_on(serve(input, &mut output, Mode::Check));
    (u32::from(report.failed > 0 || report.error.is_some()), output)
}
