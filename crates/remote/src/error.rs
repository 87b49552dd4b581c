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
    #[error("{machine} refused the operator's key")]
    Refused { machine: String },
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
