use std::time::Duration;

/// Why a machine could not be reached or a command not be run.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    #[error("{machine} did not answer SSH at {address} within {waited:?}")]
    Unreachable { machine: String, address: String, waited: Duration, source: Option<russh::Error> },
    #[error(
        "{machine} at {address} showed another host key than the one that is known for it; \
         somebody else answers there, or the machine was replaced by hand"
    )]
    HostKey { machine: String, address: String },
    /// `tried` is a line for each key that was offered.
    #[error("{machine} lets {user} in with none of these keys: {}", list(tried))]
    Refused { machine: String, user: String, tried: Vec<String> },
    #[error("{machine} takes the key of {user}, and asks for something else besides it")]
    More { machine: String, user: String },
    /// The server would take the key; `file` is where it is.
    #[error("{key} has a passphrase")]
    Locked { machine: String, key: String, file: std::path::PathBuf },
    #[error("{machine} answers SSH, and did not finish the login within {waited:?}")]
    Slow { machine: String, waited: Duration },
    #[error(
        "{machine} takes connections at {address} and ends them at once: it serves too many at a time, or has seen \
         too many failed logins from here (sshd's PerSourcePenalties)"
    )]
    TurnedAway { machine: String, address: String },
    #[error("{machine} allows no further session over one connection")]
    Sessions { machine: String },
    #[error("the connection to {machine} broke")]
    Broken { machine: String, source: russh::Error },
    #[error("{machine} closed the connection before the command ended")]
    Closed { machine: String },
    #[error("not a usable SSH key")]
    Key(#[source] russh::keys::ssh_key::Error),
    #[error("cannot read the input for {machine}")]
    Input { machine: String, source: std::io::Error },
    #[error("cannot write what {machine} sent")]
    Output { machine: String, source: std::io::Error },
}

fn list(tried: &[String]) -> String {
    if tried.is_empty() { "there is none to try".to_owned() } else { tried.join(", ") }
}
