//! What a person logs in with: keys of files, and keys that an ssh-agent holds and never gives away.

use crate::key::public;
use russh::client::{Handle, Handler};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{
    Certificate, Error, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, decode_secret_key,
};
use russh::{AgentAuthError, SendError, Signer, client::AuthResult};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// An agent answers at once, also a forwarded one.
const AGENT: Duration = Duration::from_secs(5);
/// It asks a person for a touch or a yes.
const TOUCH: Duration = Duration::from_secs(30);

/// Why a file cannot be used as a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    #[error("it holds no private key")]
    Nothing,
    #[error("{0}")]
    Format(String),
    #[error("that is not its passphrase")]
    Passphrase,
}

/// One key, ready to be offered.
#[derive(Clone)]
pub struct SshKey {
    how: How,
    /// `RSA SHA256:… (~/.ssh/id_rsa)`.
    name: String,
    public: Option<PublicKey>,
}

#[derive(Clone)]
enum How {
    Key(Arc<PrivateKey>),
    Certified(Arc<PrivateKey>, Box<Certificate>),
    Agent(PathBuf, Box<AgentIdentity>),
    /// A file whose passphrase nobody gave yet.
    Locked(PathBuf),
    /// Only the public half: an agent may have the other one, or ask the thing that has it.
    Public,
}

impl SshKey {
    /// Reads a private key without a passphrase from text; `name` is what messages call it.
    ///
    /// # Errors
    /// When the text is not such a key.
    pub fn parse(text: &str, name: &str) -> Result<Self, KeyError> {
        let key = decode_secret_key(text, None).map_err(|e| KeyError::Format(says(&e)))?;
        Ok(Self::of(key, name))
    }

    /// Reads a file: OpenSSH's format, PKCS#1, PKCS#8 or SEC1 in PEM, `PuTTY`'s, or a public key. One that has a
    /// passphrase is read too, and waits for it. `name` is what messages call the file.
    ///
    /// # Errors
    /// When it holds no key, or `passphrase` does not fit.
    pub fn read(file: &Path, name: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
        let text = std::fs::read(file)?;
        let text = String::from_utf8(text).map_err(|_| KeyError::Nothing)?;
        if let Ok(public) = public(&text) {
            return Ok(Self { how: How::Public, name: name.to_owned(), public: Some(public) });
        }
        if !text.contains("PRIVATE KEY-----") && !text.starts_with("PuTTY-User-Key-File-") {
            return Err(KeyError::Nothing);
        }
        let locked = is_locked(&text);
        let found = match decode_secret_key(&text, passphrase.filter(|_| locked)) {
            Ok(key) => Ok(Self::of(key, name)),
            Err(Error::KeyIsEncrypted) => Ok(Self::locked(file, name, &text)),
            Err(_) if locked && passphrase.is_some() => Err(KeyError::Passphrase),
            Err(_) if locked => Ok(Self::locked(file, name, &text)),
            Err(error) => Err(KeyError::Format(says(&error))),
        }?;
        Ok(found.certified(file))
    }

    fn of(key: PrivateKey, name: &str) -> Self {
        let public = key.public_key().clone();
        let how = if is_hardware(&public) { How::Public } else { How::Key(Arc::new(key)) };
        Self { how, name: name.to_owned(), public: Some(public) }
    }

    fn locked(file: &Path, name: &str, text: &str) -> Self {
        // OpenSSH's own format tells the public half without the passphrase; for the others there may be a
        // file beside it.
        let inside = PrivateKey::from_openssh(text).map(|key| key.public_key().clone()).ok();
        let beside = || public(&std::fs::read_to_string(with(file, ".pub")).ok()?).ok();
        let public = inside.or_else(beside);
        let how = match &public {
            Some(key) if is_hardware(key) => How::Public,
            _ => How::Locked(file.to_owned()),
        };
        Self { how, name: name.to_owned(), public }
    }

    /// The same with the certificate that lies beside the file, where there is one.
    fn certified(self, file: &Path) -> Self {
        let How::Key(key) = &self.how else { return self };
        let text = std::fs::read_to_string(with(file, "-cert.pub"));
        let Some(certificate) = text.ok().and_then(|t| Certificate::from_openssh(t.trim()).ok())
        else {
            return self;
        };
        Self { how: How::Certified(Arc::clone(key), Box::new(certificate)), ..self }
    }

    /// Keys of the agent that listens at `socket`, in its order.
    ///
    /// # Errors
    /// When nobody answers there, with why.
    pub async fn agent(socket: &Path) -> Result<Vec<Self>, String> {
        let ask = async {
            let mut agent = AgentClient::connect_uds(socket).await.map_err(|e| says(&e))?;
            agent.request_identities().await.map_err(|e| says(&e))
        };
        let answer = timeout(AGENT, ask).await;
        let found = answer.map_err(|_| format!("no answer within {AGENT:?}"))??;
        let of = |identity: AgentIdentity| Self {
            public: Some(identity.public_key().into_owned()),
            how: How::Agent(socket.to_owned(), Box::new(identity)),
            name: "ssh-agent".to_owned(),
        };
        Ok(found.into_iter().map(of).collect())
    }

    /// Kind, fingerprint and where it comes from, for a person.
    #[must_use]
    pub fn describe(&self) -> String {
        let Some(public) = &self.public else { return self.name.clone() };
        let kind = kind(public);
        let certificate = match &self.how {
            How::Certified(..) => " with certificate",
            How::Agent(_, identity) if matches!(**identity, AgentIdentity::Certificate { .. }) => {
                " with certificate"
            }
            _ => "",
        };
        let fingerprint = public.fingerprint(HashAlg::Sha256);
        format!("{kind}{certificate} {fingerprint} ({})", self.name)
    }

    /// The file that needs a passphrase first.
    #[must_use]
    pub fn is_locked(&self) -> Option<&Path> {
        if let How::Locked(file) = &self.how { Some(file) } else { None }
    }

    /// Can something be signed with it?
    #[must_use]
    pub fn is_public_only(&self) -> bool {
        matches!(self.how, How::Public)
    }

    /// The same key, wherever it comes from?
    #[must_use]
    pub fn is_same_key(&self, other: &Self) -> bool {
        match (&self.public, &other.public) {
            (Some(a), Some(b)) => a.key_data() == b.key_data(),
            _ => false,
        }
    }

    /// Offers it to a server.
    pub(crate) async fn offer<H: Handler>(&self, handle: &mut Handle<H>, user: &str) -> Answer {
        let hash = self.hash(handle).await;
        let result = match &self.how {
            How::Public => return Answer::No { more: false },
            How::Key(key) => {
                let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash);
                handle.authenticate_publickey(user, key).await.map_err(|e| e.to_string())
            }
            How::Certified(key, certificate) => {
                let (key, certificate) = (Arc::clone(key), (**certificate).clone());
                let result = handle.authenticate_openssh_cert(user, key.clone(), certificate).await;
                match result {
                    // The certificate may be over, and the key itself still be let in.
                    Ok(AuthResult::Failure { partial_success: false, .. })
                        if !handle.is_closed() =>
                    {
                        let key = PrivateKeyWithHashAlg::new(key, hash);
                        handle.authenticate_publickey(user, key).await.map_err(|e| e.to_string())
                    }
                    other => other.map_err(|e| e.to_string()),
                }
            }
            How::Agent(socket, identity) => with_agent(handle, user, socket, identity, hash).await,
            How::Locked(_) => {
                let Some(public) = self.public.clone() else { return Answer::Locked };
                let mut probe = Probe;
                match handle.authenticate_publickey_with(user, public, hash, &mut probe).await {
                    Err(Wanted::Signature) => return Answer::Locked,
                    Err(Wanted::Connection) => Err("the connection broke".to_owned()),
                    Ok(result) => Ok(result),
                }
            }
        };
        match result {
            Ok(AuthResult::Success) => Answer::Yes,
            Ok(AuthResult::Failure { partial_success, .. }) => Answer::No { more: partial_success },
            Err(why) => Answer::Error(why),
        }
    }

    /// RSA's old signatures with SHA-1 are refused by every server of today.
    async fn hash<H: Handler>(&self, handle: &Handle<H>) -> Option<HashAlg> {
        if !self.public.as_ref().is_some_and(|key| key.algorithm().is_rsa()) {
            return None;
        }
        let said = handle.best_supported_rsa_hash().await.ok().flatten();
        said.unwrap_or(Some(HashAlg::Sha512))
    }
}

/// What a server says to a key.
pub(crate) enum Answer {
    Yes,
    /// `more`: the key is right, and not enough.
    No {
        more: bool,
    },
    /// It would be let in, and its passphrase is missing.
    Locked,
    /// The key could not sign.
    Error(String),
}

async fn with_agent<H: Handler>(
    handle: &mut Handle<H>,
    user: &str,
    socket: &Path,
    identity: &AgentIdentity,
    hash: Option<HashAlg>,
) -> Result<AuthResult, String> {
    let mut agent = AgentClient::connect_uds(socket).await.map_err(|e| says(&e))?;
    // Keys that may only go to certain servers are given out after this; an agent that does not know it
    // has no such keys.
    if let Some(binding) = handle.agent_session_binding().cloned() {
        let _ = timeout(AGENT, agent.bind_session(&binding, false)).await;
    }
    let work = async {
        match identity {
            AgentIdentity::PublicKey { key, .. } => {
                handle.authenticate_publickey_with(user, key.clone(), hash, &mut agent).await
            }
            AgentIdentity::Certificate { certificate, .. } => {
                let certificate = certificate.clone();
                handle.authenticate_certificate_with(user, certificate, hash, &mut agent).await
            }
        }
    };
    match timeout(TOUCH, work).await {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(AgentAuthError::Key(Error::AgentFailure))) => {
            Err("the ssh-agent refused to sign".to_owned())
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("the ssh-agent did not sign within {TOUCH:?}")),
    }
}

/// Signs nothing: that it is asked to says that the server would take the key.
struct Probe;

enum Wanted {
    Signature,
    Connection,
}

impl From<SendError> for Wanted {
    fn from(_: SendError) -> Self {
        Self::Connection
    }
}

impl Signer for Probe {
    type Error = Wanted;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        _: Option<HashAlg>,
        _: Vec<u8>,
    ) -> Result<Vec<u8>, Wanted> {
        Err(Wanted::Signature)
    }
}

fn with(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The file then only says where to find the key, in a thing that somebody has to touch.
fn is_hardware(key: &PublicKey) -> bool {
    key.algorithm().as_str().starts_with("sk-")
}

/// As PEM says it, or OpenSSH's format inside of it.
fn is_locked(text: &str) -> bool {
    text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        || text.lines().any(|line| line.starts_with("DEK-Info:"))
        || text.lines().any(|line| line.starts_with("Encryption: ") && !line.ends_with("none"))
        || PrivateKey::from_openssh(text).is_ok_and(|key| key.is_encrypted())
}

fn kind(key: &PublicKey) -> &'static str {
    match key.algorithm().as_str() {
        "ssh-ed25519" => "Ed25519",
        "ssh-rsa" => "RSA",
        "ssh-dss" => "DSA",
        name if name.starts_with("ecdsa-") => "ECDSA",
        name if name.starts_with("sk-ssh-ed25519") => "Ed25519-SK",
        name if name.starts_with("sk-ecdsa") => "ECDSA-SK",
        _ => "key",
    }
}

fn says(error: &Error) -> String {
    match error {
        Error::IO(error) => error.to_string(),
        Error::AgentFailure => "it refused".to_owned(),
        Error::AgentProtocolError => "what answers there is no ssh-agent".to_owned(),
        other => format!("it is not a usable private key ({other})"),
    }
}

#[cfg(test)]
mod tests;
