//! One authenticated connection to one machine.

use crate::identity::Answer;
use crate::key::public;
use crate::{Output, RemoteError, SshKey};
use russh::Channel;
use russh::client::{self, Handle, Msg};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// Pause between two attempts while a machine is still booting: short, because it is what a person
/// waits for; an attempt on the local bridge costs microseconds.
const RETRY: Duration = Duration::from_millis(40);
/// For a login, once the server answers. Looking up the name of who comes takes 20 s where no name server is.
const LOGIN: Duration = Duration::from_secs(60);
/// How long a command waits for others on the same connection.
const ROOM: Duration = Duration::from_secs(10);
/// Connections for one list of keys: a server ends each after its `MaxAuthTries`, three to six keys, and takes a
/// longer series for an attack.
const CONNECTIONS: u32 = 3;

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
}

pub(crate) struct Pinned {
    expected: PublicKey,
    mismatch: Arc<AtomicBool>,
}

/// How far a list of keys has been tried, over several connections where it takes them.
#[derive(Default)]
struct Round {
    next: usize,
    tried: Vec<String>,
    /// Keys that would be let in, and have a passphrase.
    locked: Vec<usize>,
    /// Was a key looked at over this connection?
    progress: bool,
    connections: u32,
    /// The last connection was taken, and ended before SSH began on it.
    turned_away: bool,
}

impl Round {
    /// Is another connection worth it?
    fn take_progress(&mut self) -> bool {
        self.connections += 1;
        std::mem::take(&mut self.progress) && self.connections < CONNECTIONS
    }

    fn refused(&mut self, target: &Target, identities: &[SshKey]) -> RemoteError {
        let left = identities.len().saturating_sub(self.next);
        if left > 0 {
            self.tried.push(format!("and {left} more, at which the server did not look any more"));
        }
        RemoteError::Refused {
            machine: target.machine.clone(),
            user: target.user.clone(),
            tried: std::mem::take(&mut self.tried),
        }
    }
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
    /// At once when the host key differs or no key is let in; after `patience` when
    /// nothing answers.
    pub async fn connect(
        target: &Target,
        identities: &[SshKey],
        patience: Duration,
    ) -> Result<Self, RemoteError> {
        let deadline = Instant::now() + patience;
        let mut round = Round::default();
        loop {
            let reached = match timeout_at(deadline, Self::reach(target, &mut round)).await {
                Ok(reached) => reached,
                Err(_) => Err(RemoteError::Closed { machine: target.machine.clone() }),
            };
            let result = match reached {
                Ok(handle) => {
                    // It answers, so what takes long now is the login: a name that it looks up, for example.
                    let login = Self::login(handle, target, identities, &mut round);
                    timeout(LOGIN, login).await.unwrap_or_else(|_| {
                        Err(RemoteError::Slow { machine: target.machine.clone(), waited: LOGIN })
                    })
                }
                Err(error) => Err(error),
            };
            let source = match result {
                Ok(session) => return Ok(session),
                Err(RemoteError::Broken { source, .. }) => Some(source),
                Err(RemoteError::Closed { .. }) => None,
                Err(error) => return Err(error),
            };
            if round.take_progress() {
                continue;
            }
            if Instant::now() + RETRY >= deadline {
                if !round.tried.is_empty() {
                    return Err(round.refused(target, identities));
                }
                if round.turned_away {
                    return Err(RemoteError::TurnedAway {
                        machine: target.machine.clone(),
                        address: target.address.to_string(),
                    });
                }
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

    /// A connection to whoever has the host key, with nobody logged in.
    async fn reach(target: &Target, round: &mut Round) -> Result<Handle<Pinned>, RemoteError> {
        let mismatch = Arc::new(AtomicBool::new(false));
        let expected = public(&target.host_key)?;
        let mut preferred = russh::Preferred::default();
        // A server with keys of several kinds is asked for the one that is known. RSA has several
        // signatures with the same key.
        let (kind, is_rsa) = (expected.algorithm(), expected.algorithm().is_rsa());
        preferred.key.to_mut().sort_by_key(|it| *it != kind && !(is_rsa && it.clone().is_rsa()));
        let handler = Pinned { expected, mismatch: Arc::clone(&mismatch) };
        let config = client::Config {
            // A silent peer is noticed after about 15 s, wherever the network was cut.
            keepalive_interval: Some(Duration::from_secs(5)),
            keepalive_max: 3,
            window_size: 16 * 1024 * 1024,
            preferred,
            ..Default::default()
        };
        let broken = |source| RemoteError::Broken { machine: target.machine.clone(), source };
        round.turned_away = false;
        let stream = TcpStream::connect(target.address).await.map_err(|e| broken(e.into()))?;
        stream.set_nodelay(true).map_err(|e| broken(e.into()))?;
        match client::connect_stream(Arc::new(config), stream, handler).await {
            Ok(handle) => Ok(handle),
            Err(_) if mismatch.load(Ordering::Relaxed) => Err(RemoteError::HostKey {
                machine: target.machine.clone(),
                address: target.address.to_string(),
            }),
            Err(source) => {
                round.turned_away = true;
                Err(broken(source))
            }
        }
    }

    /// Over one connection as long as the server takes part: servers count a connection that only failed as
    /// an attack, and end one with too many failures.
    async fn login(
        mut handle: Handle<Pinned>,
        target: &Target,
        identities: &[SshKey],
        round: &mut Round,
    ) -> Result<Self, RemoteError> {
        while let Some(identity) = identities.get(round.next) {
            if identity.is_public_only() {
                round.next += 1;
                continue;
            }
            let machine = || target.machine.clone();
            let answer = identity.offer(&mut handle, &target.user).await;
            let closed = handle.is_closed();
            match answer {
                Answer::Yes => {
                    return Ok(Self { machine: machine(), handle, sudo: target.user != "root" });
                }
                Answer::No { more: true } => {
                    return Err(RemoteError::More {
                        machine: machine(),
                        user: target.user.clone(),
                    });
                }
                // Another key may be let in without anything that only a person knows.
                Answer::Locked => round.locked.push(round.next),
                // The connection was ended before this key was looked at.
                _ if closed && round.progress => {
                    return Err(RemoteError::Closed { machine: machine() });
                }
                Answer::No { .. } => round.tried.push(identity.describe()),
                Answer::Error(why) => round.tried.push(format!("{}: {why}", identity.describe())),
            }
            round.next += 1;
            round.progress = true;
            if closed {
                return Err(RemoteError::Closed { machine: machine() });
            }
        }
        let _ = handle.disconnect(russh::Disconnect::ByApplication, "", "en").await;
        Err(match round.locked.first().and_then(|&number| identities.get(number)) {
            Some(identity) => RemoteError::Locked {
                machine: target.machine.clone(),
                key: identity.describe(),
                file: identity.is_locked().unwrap_or_else(|| Path::new("")).to_owned(),
            },
            None => round.refused(target, identities),
        })
    }

    /// A channel for one command. A server that allows few at a time (`MaxSessions`) has one again when another
    /// command has ended, a moment after its end was told.
    pub(crate) async fn open(&self) -> Result<Channel<Msg>, RemoteError> {
        let deadline = Instant::now() + ROOM;
        loop {
            match self.handle.channel_open_session().await {
                Ok(channel) => return Ok(channel),
                Err(russh::Error::ChannelOpenFailure(_)) if Instant::now() < deadline => {
                    sleep_until(Instant::now() + RETRY).await;
                }
                Err(russh::Error::ChannelOpenFailure(_)) => {
                    return Err(RemoteError::Sessions { machine: self.machine.clone() });
                }
                Err(error) => return Err(self.broken(error)),
            }
        }
    }

    /// The command as the login shell gets it: as root, whoever logged in, and the same whatever that shell
    /// is and has been told to do.
    pub(crate) fn as_root(&self, command: &str) -> String {
        crate::quiet::wrap(command, self.sudo, true)
    }

    /// The same for a person's terminal, where everything is shown.
    pub(crate) fn on_terminal(&self, command: &str) -> String {
        crate::quiet::wrap(command, self.sudo, false)
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
