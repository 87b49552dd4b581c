//! What comes after a verb: verbs of its own, and the words that its arguments may be.

use clap::{Subcommand, ValueEnum};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

/// `90s`, `10m`, `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = andamio_spec::units::parse_duration(text);
    seconds.map(Duration::from_secs).ok_or_else(|| "write it as 90s, 10m or 1h".to_owned())
}

#[derive(Subcommand)]
pub(crate) enum SecretVerb {
    /// Set a value, read from standard input; `up` brings it to the machines
    #[command(after_help = "Examples:\n  andamio secret set dev SESSION_KEY < key.txt\n  \
                            andamio secret set dev JWT_KEY < key.pem\n  printf %s \"$TOKEN\" | andamio secret set dev TOKEN\n\n\
                            Text of up to 100 KiB, which the application finds in its environment byte for byte. Of a single\n\
                            line the end of the line is left out (echo writes one) unless --exact is said; several lines are\n\
                            kept as they are.")]
    Set {
        env: String,
        name: String,
        /// Keep the end of a single line too
        #[arg(long)]
        exact: bool,
    },
    /// List the names
    #[command(
        after_help = "Examples:\n  andamio secret list dev\n  andamio secret list dev --json"
    )]
    List { env: String },
    /// Remove a value; the next `up` makes one up
    #[command(after_help = "Example:\n  andamio secret rm dev SESSION_KEY")]
    Rm { env: String, name: String },
    /// Make what the machines sign their certificates with anew; `up` brings it to them
    #[command(after_help = "Example:\n  andamio secret renew prod && andamio up prod\n\n\
                            For the day on which somebody may have read one. The environment's authority stays.")]
    Renew { env: String },
}

#[derive(Subcommand)]
pub(crate) enum StateVerb {
    /// Show whose the environments of the state are, and what is wanted of them
    #[command(
        after_help = "Examples:\n  andamio state show\n  andamio state show --state s3://acme-state --json"
    )]
    Show { env: Option<String> },
    /// Make this copy of a state the owner of its environments
    #[command(after_help = "Example:\n  andamio state adopt prod --state /srv/restored\n\n\
                            For the day on which the state was lost and a copy of it is left. A state that was only moved\n\
                            is followed without it.")]
    Adopt { env: Option<String> },
    /// Make environments of their own of those in a copy of a state
    #[command(
        after_help = "Example:\n  cp -a .andamio /srv/rehearsal && andamio state fork dev --state /srv/rehearsal\n\n\
                            They get ids, passwords and keys of their own, and no machines yet. What a person gave the\n\
                            application with `secret set` stays."
    )]
    Fork { env: Option<String> },
}

#[derive(Subcommand)]
pub(crate) enum KeyVerb {
    /// Let public keys read the secrets of every environment, and machines let them in
    #[command(after_help = "Examples:\n  andamio key add age1… --name Marta\n  \
                            andamio key add age1… \"ssh-ed25519 AAAA… marta\"\n  \
                            andamio key add \"$(cat marta.pub)\"\n  \
                            andamio key add \"$(cat runner.pub)\" --for runner --name builds\n\n\
                            Marta sees her keys with `andamio key show`. The key that secrets are encrypted to goes into \
                            `team` of andamio.toml, and the secrets of all environments in the state are encrypted anew: \
                            commit andamio.toml afterwards. The next `andamio up` brings the SSH key to the machines.")]
    Add {
        /// age1…, a line "ssh-ed25519 AAAA… comment", or both of one person
        #[arg(required = true, num_args = 1..)]
        key: Vec<String>,
        /// Whose key it is
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// What it is for: with an SSH key alone, a runner reads no secrets
        #[arg(long = "for", value_name = "WHOM", default_value = "team")]
        purpose: Whom,
    },
    /// Take a public key away
    #[command(
        after_help = "Examples:\n  andamio key remove Marta\n  andamio key remove age1ql3z7 -y\n\n\
                            A member who is removed has seen the values there were: the answer says which to change. \
                            Machines let the key in until the next `andamio up`, which the answer names too."
    )]
    Remove {
        /// A key, the beginning of one, or a name
        #[arg(required = true, num_args = 1..)]
        key: Vec<String>,
    },
    /// Show who can read what, and who you are
    #[command(after_help = "Examples:\n  andamio key list\n  andamio key list --json | jq .keys")]
    List,
    /// Print your public keys, for a member who adds them
    #[command(after_help = "Examples:\n  andamio key show\n  andamio key show --json | jq -r .ssh")]
    Show,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Whom {
    Team,
    Runner,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Target {
    App,
    /// The MariaDB server that takes the writes
    Database,
    Cache,
    Queue,
    /// The balancer that has the address
    Balancer,
    Ops,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum FaultKind {
    /// Its service is told to stop
    Stop,
    /// Its service's processes are killed
    ProcessKill,
    /// A power cut
    MachineKill,
    /// It stops where it is, connections stay open
    Freeze,
    /// Its network cable is out
    LinkDown,
    /// Cut off from the others of its group only
    Partition,
    /// Its disk is full
    #[value(alias = "disk")]
    FullDisk,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

#[derive(Subcommand)]
pub(crate) enum NodeVerb {
    /// Read a manifest on standard input and make it true
    Apply {
        /// Change nothing; say what would change
        #[arg(long)]
        check: bool,
    },
    /// Keep a changed firewall
    Confirm { token: String },
    /// Take a changed firewall back unless it is confirmed
    UndoFirewall {
        #[arg(long)]
        token: String,
        #[arg(long)]
        after: String,
    },
    /// Read a task of a cluster's member on standard input and do it
    Task,
    /// Read a load on standard input, send it, and say what became of it
    Load,
    /// Run a command for as long as somebody is connected with it
    Attend {
        #[arg(long)]
        token: String,
        #[arg(long)]
        container: Option<String>,
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Pass a signal on to such a command
    Signal { token: String, signal: String },
    /// Say over HTTP whether the local MariaDB may be written to
    Health {
        #[arg(long)]
        listen: String,
        #[arg(long)]
        socket: String,
        /// Certificate and key
        #[arg(long)]
        identity: String,
    },
    /// Get a certificate for this machine's name, or renew it, where it is time
    Certificate {
        /// The authority's directory
        #[arg(long)]
        directory: String,
        #[arg(long)]
        contact: String,
        #[arg(long)]
        domain: String,
        /// PEM file of whom the directory's address is believed by, instead of the public authorities
        #[arg(long)]
        roots: Option<String>,
    },
    /// Sign what this machine's services show to other machines anew, where it is time
    Identities,
    /// Describe this machine
    Facts,
    /// Add up what this machine sends to the outside
    Transfer {
        /// Addresses that are not outside; those of the last time by default
        #[arg(long)]
        inside: Option<String>,
    },
}

#[derive(Subcommand)]
pub(crate) enum Internal {
    Launch {
        folder: PathBuf,
        groups: Vec<PathBuf>,
    },
    /// Put a machine back that was broken, when standard input ends
    Revert {
        instance: String,
        machine: String,
        interface: String,
        address: Ipv4Addr,
    },
}

#[cfg(test)]
mod tests {
    use crate::args::Args;
    use clap::Parser;

    /// What other parts of the program call this program with.
    #[test]
    fn the_calls_of_its_own_parts_are_understood() {
        for line in [
            "machine launch FOLDER GROUP",
            "machine revert INSTANCE MACHINE INTERFACE 198.18.0.10",
            "node apply",
            "node task",
            "node confirm TOKEN",
            "node signal TOKEN INT",
            "node identities",
            "node transfer",
            "node load",
        ] {
            let words = ["andamio"].into_iter().chain(line.split(' '));
            assert!(Args::try_parse_from(words).is_ok(), "{line}");
        }
    }
}
