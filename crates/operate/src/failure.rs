//! Why a verb ended without doing its work, and which exit status that is.

use andamio_engine::{ErrorReport, LedgerError, LockError, StoreError};
use andamio_provision::local::LocalError;
use andamio_remote::RemoteError;

/// What a failure means for whoever called: one exit status each (contract).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 1: running it again is safe.
    Failed,
    /// 3: budget, quota, window, approval, stale plan, or no yes.
    Refused,
    /// 4: another run holds the lock.
    Locked,
    /// 64: a name that is not there.
    Usage,
    /// 6: the host, a key or a credential is missing.
    Host,
}

#[derive(Debug, Clone)]
pub struct Failure {
    pub kind: Kind,
    pub error: ErrorReport,
}

impl Failure {
    pub fn new(kind: Kind, code: &str, message: impl std::fmt::Display, help: &str) -> Self {
        Self { kind, error: ErrorReport::new(code, message, help) }
    }

    pub(crate) fn error(kind: Kind, code: &str, error: &dyn std::error::Error, help: &str) -> Self {
        Self { kind, error: ErrorReport::from_error(code, error, help) }
    }
}

impl From<ErrorReport> for Failure {
    fn from(error: ErrorReport) -> Self {
        Self { kind: Kind::Failed, error }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let (kind, code, help) = match &error {
            StoreError::Bucket { .. } => (
                Kind::Failed,
                "state",
                "see that the service answers and has that bucket, then run the same command again; the endpoint \
                 comes from AWS_ENDPOINT_URL",
            ),
            StoreError::Credentials { .. } => (
                Kind::Host,
                "credentials",
                "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION to a key that may list, read, write and \
                 delete in that bucket, and see that this machine's clock is right",
            ),
            StoreError::Unconditional { .. } => (
                Kind::Refused,
                "conditional-create",
                "two runs could hold the lock at once there: use a bucket of a service that has conditional writes, or \
                 a folder (--state DIR)",
            ),
            StoreError::Endpoint { .. } => (
                Kind::Usage,
                "endpoint",
                "set AWS_ENDPOINT_URL to https://HOST, or leave it out for Amazon's",
            ),
            StoreError::Https(_) => (
                Kind::Host,
                "authorities",
                "name a readable file of PEM certificates, or unset AWS_CA_BUNDLE to trust the public authorities",
            ),
            StoreError::Open { .. }
            | StoreError::Folder { .. }
            | StoreError::Read { .. }
            | StoreError::Write { .. } => (Kind::Failed, "state", STATE),
            StoreError::Garbled(..) => (
                Kind::Failed,
                "state",
                "put that object back from a copy of the state; nothing was changed",
            ),
        };
        Self::error(kind, code, &error, help)
    }
}

const STATE: &str = "check the state (--state) and its disk";

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        let help = match error {
            LedgerError::Short { .. } => {
                "put the missing entries back from a copy of the state; where there is none, remove `ledger-head` \
                 beside `ledger` in the state: what is left then counts as the whole ledger"
            }
            LedgerError::Store(StoreError::Garbled(..)) => {
                "put that entry back from a copy of the state; nothing is appended behind one that cannot be read"
            }
            LedgerError::Store(store) => return store.into(),
        };
        Self::error(Kind::Failed, "ledger", &error, help)
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Store(store) => store.into(),
            LockError::Held(ref record) if record.from_the_future() => Self::error(
                Kind::Locked,
                "locked",
                &error,
                "compare the clocks (date -u) of this machine and of that one; when that run is gone, end its \
                 lock with `andamio unlock ENV`",
            ),
            LockError::Held(_) => Self::error(
                Kind::Locked,
                "locked",
                &error,
                "wait for that run to end, or look at it with `andamio history`; \
                 a holder that is gone loses the lock by itself",
            ),
            LockError::Garbled(..) => Self::error(
                Kind::Failed,
                "state",
                &error,
                "see that nobody works there (`andamio history`), then end the lock with `andamio unlock ENV`",
            ),
        }
    }
}

impl From<LocalError> for Failure {
    fn from(error: LocalError) -> Self {
        fault(&error).into()
    }
}

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        remote_fault(&error).into()
    }
}

/// Code of the one SSH fault that a restart can mend: the machine runs and does not answer.
pub(crate) const UNREACHABLE: &str = "unreachable";

/// What to do about a key with a passphrase.
pub(crate) const UNLOCK: &str = "give the key to an ssh-agent (`ssh-add FILE`, with SSH_AUTH_SOCK set), or run \
                                 `andamio plan` or `up` on a terminal, where the passphrase is asked for";

pub(crate) fn fault(error: &LocalError) -> ErrorReport {
    ErrorReport::from_error(error.code(), error, error.help())
}

pub(crate) fn remote_fault(error: &RemoteError) -> ErrorReport {
    let help = match error {
        RemoteError::HostKey { .. } => "find out who answers there before anything else",
        RemoteError::Refused { .. } => {
            "the operator's key is not on the machine: was it removed by hand? `andamio down` and `up` make it \
             new; a server that exists already gets it again by `up` with your own key (ANDAMIO_SSH_KEY)"
        }
        RemoteError::Locked { .. } => UNLOCK,
        RemoteError::More { .. } => {
            "let that user in with a key alone: AuthenticationMethods in the sshd_config of the machine"
        }
        RemoteError::Sessions { .. } => {
            "let more in at a time: MaxSessions in the sshd_config of the machine, whose default is 10"
        }
        RemoteError::Slow { .. } => {
            "find out what its login waits for (journalctl -u ssh there): a name that it looks up (UseDNS), a \
             directory of users; then run the same command again"
        }
        RemoteError::Input { .. } => {
            "the command was ended before it had the whole input; give it an input that can be read"
        }
        RemoteError::Output { .. } => "see that there is room where the output goes",
        _ => "look at the machine with `andamio status`, then run the same command again",
    };
    let code = match error {
        RemoteError::Unreachable { .. } | RemoteError::TurnedAway { .. } => UNREACHABLE,
        RemoteError::Input { .. } => "stdin",
        _ => "ssh",
    };
    ErrorReport::from_error(code, error, help)
}
