//! One authenticated connection to one machine.

use crate::key::{Identity, public};
use crate::{Output, RemoteError};
use russh::client::{self, Handle};
use russh::keys::{PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};

/// Pause between two attempts while a machine is still booting: short, because it is what a person
/// waits for; an attempt on the local bridge costs microseconds.
const RETRY: Duration = Duration::from_millis(40);

/// Where a machine answers, and how it proves who it is.
#[derive(Debug, Clone)]
pub struct Target {
    pub machine: String,
    pub address: SocketAddr,
    /// Anyone but root runs commands through `sudo`.
    pub user: String,
    /// OpenSSH public key that the machine must show.
    pub host_key: String,
}

/// An open connection. Cheap to share: channels are multiplexed over it.
pub struct Session {
    pub(crate) machine: String,
    pub(crate) handle: Handle<Pinned>,
    sudo: bool,
    identity: usize,
}

pub(crate) struct Pinned {
    expected: PublicKey,
    mismatch: Arc<AtomicBool>,
}

impl client::Handler for Pinned {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        let same = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                key.key_data() == self.expected.key_data()
            }
            PublicKeyOrCertificate::Certificate(_) => false,
        };
        self.mismatch.store(!same, Ordering::Relaxed);
        Ok(same)
    }
}

impl Session {
    /// Connects, waiting up to `patience` for a machine that still boots. The identities are tried in
    /// their order.
    ///
    /// # Errors
    /// At once when the host key differs or the operator's key is refused; after `patience` when
    /// nothing answers.
    pub async fn connect(
        target: &Target,
        identities: &[Identity],
        patience: Duration,
    ) -> Result<Self, RemoteError> {
        let deadline = Instant::now() + patience;
        loop {
            let attempt = timeout_at(deadline, Self::attempt(target, identities)).await;
            let source = match attempt {
                Ok(Ok(session)) => return Ok(session),
                Ok(Err(error @ (RemoteError::HostKey { .. } | RemoteError::Refused { .. }))) => {
                    return Err(error);
                }
                Ok(Err(RemoteError::Broken { source, .. })) => Some(source),
                Ok(Err(RemoteError::Key(e))) => return Err(RemoteError::Key(e)),
                Ok(Err(_)) | Err(_) => None,
            };
            if Instant::now() + RETRY >= deadline {
                return Err(RemoteError::Unreachable {
                    machine: target.machine.clone(),
                    address: target.address.to_string(),
                    waited: patience,
                    source,
                });
            }
            sleep_until(Instant::now() + RETRY).await;
        }
    }

    async fn attempt(target: &Target, identities: &[Identity]) -> Result<Self, RemoteError> {
        let broken = |source| RemoteError::Broken { machine: target.machine.clone(), source };
        let mismatch = Arc::new(AtomicBool::new(false));
        let expected = public(&target.host_key)?;
        let mut preferred = russh::Preferred::default();
        // A server with keys of several kinds is asked for the one that is known.
        preferred.key.to_mut().sort_by_key(|kind| *kind != expected.algorithm());
        let handler = Pinned { expected, mismatch: Arc::clone(&mismatch) };
        let config = client::Config {
            // A silent peer is noticed after about 15 s, wherever the network was cut.
            keepalive_interval: Some(Duration::from_secs(5)),
            keepalive_max: 3,
            nodelay: true,
            window_size: 16 * 1024 * 1024,
            preferred,
            ..Default::default()
        };
        let mut handle = match client::connect(Arc::new(config), target.address, handler).await {
            Ok(handle) => handle,
            Err(_) if mismatch.load(Ordering::Relaxed) => {
                return Err(RemoteError::HostKey {
                    machine: target.machine.clone(),
                    address: target.address.to_string(),
                });
            }
            Err(source) => return Err(broken(source)),
        };
        // Over one connection: servers count a connection that only failed as an attack.
        for (number, identity) in identities.iter().enumerate() {
            let key = PrivateKeyWithHashAlg::new(Arc::clone(&identity.0), None);
            let granted = handle.authenticate_publickey(&target.user, key).await.map_err(broken)?;
            if granted.success() {
                return Ok(Self {
                    machine: target.machine.clone(),
                    handle,
                    sudo: target.user != "root",
                    identity: number,
                });
            }
        }
        Err(RemoteError::Refused { machine: target.machine.clone() })
    }

    /// Which of the identities the machine accepted.
    #[must_use]
    pub fn identity(&self) -> usize {
        self.identity
    }

    /// The command as the machine's shell gets it: as root, whoever logged in.
    pub(crate) fn as_root(&self, command: &str) -> String {
        if self.sudo {
            format!("sudo -n sh -c {}", crate::quote(&[command]))
        } else {
            command.to_owned()
        }
    }

    /// The machine's name.
    #[must_use]
    pub fn machine(&self) -> &str {
        &self.machine
    }

    /// Puts `content` at `path` (mode in octal), complete or not at all.
    ///
    /// # Errors
    /// When the connection breaks or the machine cannot write; the answer says why.
    pub async fn upload(
        &self,
        content: &[u8],
        path: &str,
        mode: u32,
    ) -> Result<Output, RemoteError> {
        let target = crate::quote(&[path]);
        // An operator that is killed in the middle looks like the end of the input.
        let length = content.len();
        // The shell is the one thing every machine has before Andamio is on it.
        let script = format!(
            "umask 077; d=$(dirname {target}); mkdir -p \"$d\" && t=$(mktemp \"$d\"/.andamio.XXXXXX) \
             && cat > \"$t\" && [ \"$(wc -c < \"$t\")\" -eq {length} ] && chmod {mode:o} \"$t\" && sync \"$t\" && mv -f \"$t\" {target} \
             || {{ s=$?; rm -f \"$t\"; exit $s; }}"
        );
        self.output(&script, content).await
    }

    /// Ends the connection; errors don't matter any more.
    pub async fn close(&self) {
        let _ = self.handle.disconnect(russh::Disconnect::ByApplication, "", "en").await;
    }

    pub(crate) fn broken(&self, source: russh::Error) -> RemoteError {
        RemoteError::Broken { machine: self.machine.clone(), source }
    }
}
