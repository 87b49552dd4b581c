//! The command line, as the contract has it. Help texts and completions come from here.

mod words;

pub(crate) use words::{
    FaultKind, Internal, KeyVerb, NodeVerb, SecretVerb, Shell, StateVerb, Target, Whom,
};

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Parser)]
#[command(
    name = "andamio",
    version,
    about = "Makes the environments of andamio.toml real, and keeps them so",
    after_help = "Examples:\n  andamio init\n  andamio check\n  andamio plan dev\n  andamio up dev\n  andamio status dev\n  \
                  andamio logs dev -f\n\nExit status: 0 done, 1 failed (running it again is safe), 2 changes found (plan --exit-code),\n\
                  3 refused, 4 locked by another run, 5 andamio.toml invalid, 6 host, key or credential missing,\n\
                  7 unhealthy (status), 64 usage, 130 interrupted",
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(clap::Args)]
pub(crate) struct Global {
    /// The file that declares the environments [default: andamio.toml here or in a folder above]
    #[arg(short, long, global = true, value_name = "FILE", env = "ANDAMIO_FILE", hide_env = true)]
    pub(crate) file: Option<PathBuf>,
    /// Place to work on instead of the environment's own: local, hosts, linode
    #[arg(long, global = true, value_name = "PLACE", env = "ANDAMIO_ON", hide_env = true)]
    pub(crate) on: Option<String>,
    /// Folder or s3://BUCKET of the state [default: .andamio beside andamio.toml]
    #[arg(long, global = true, value_name = "URL", env = "ANDAMIO_STATE", hide_env = true)]
    pub(crate) state: Option<String>,
    /// Wait for a run that holds the lock, at most this long: 90s, 10m, 1h
    #[arg(long, global = true, value_name = "TIME", num_args = 0..=1, require_equals = true,
          default_missing_value = "10m", value_parser = words::duration)]
    pub(crate) wait: Option<Duration>,
    /// Answer in JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Answer yes to every question
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
    /// Say more
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
    /// Say only what was asked for and what went wrong
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Write andamio.toml for the project in this folder
    #[command(after_help = "Examples:\n  andamio init\n  andamio init --json\n\n\
                            Looks at Containerfile, compose file, Procfile and packages; makes your identity and an offline\n\
                            recovery key, which is shown once. Overwrites nothing. In a project that has an andamio.toml\n\
                            it makes your identity only.")]
    Init,
    /// Check andamio.toml
    #[command(
        after_help = "Examples:\n  andamio check\n  andamio check --explain\n  andamio check --json | jq .findings"
    )]
    Check {
        /// Show every setting with its value and why it has it
        #[arg(long)]
        explain: bool,
    },
    /// Show what `up` would change
    #[command(
        after_help = "Examples:\n  andamio plan dev\n  andamio plan prod --exit-code\n  andamio plan prod --out reviewed.json\n  \
                      andamio plan prod --on linode --render"
    )]
    Plan {
        env: String,
        /// Of what the state says is wanted, without andamio.toml and the application's source
        #[arg(long, conflicts_with = "render")]
        as_recorded: bool,
        /// Write the plan to a file that `up --plan` takes
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// End with 2 when there are changes
        #[arg(long)]
        exit_code: bool,
        /// At a place of kind linode: write the environment's terraform.tfvars
        #[arg(long)]
        render: bool,
        /// Override a refusal for money; the ledger keeps the reason
        #[arg(long, value_name = "budget=REASON")]
        accept: Vec<String>,
    },
    /// Make an environment real
    #[command(
        after_help = "Examples:\n  andamio up dev\n  andamio up prod --on local\n  andamio up prod --plan reviewed.json\n  andamio up dev --limit app-1"
    )]
    Up {
        env: String,
        /// What the state says is wanted, without andamio.toml and the application's source
        #[arg(long)]
        as_recorded: bool,
        /// Do exactly what this plan says, or refuse when the live state has moved
        #[arg(long, value_name = "FILE", conflicts_with = "limit")]
        plan: Option<PathBuf>,
        /// Stay with these machines
        #[arg(long, value_name = "MACHINE", num_args = 1..)]
        limit: Vec<String>,
        /// Override a refusal for money; the ledger keeps the reason
        #[arg(long, value_name = "budget=REASON")]
        accept: Vec<String>,
    },
    /// Remove an environment, data included
    #[command(after_help = "Examples:\n  andamio down dev\n  andamio down dev -y")]
    Down { env: String },
    /// Ask every machine and service how it is
    #[command(after_help = "Examples:\n  andamio status dev\n  andamio status prod --json")]
    Status { env: String },
    /// Show the journals of all machines, merged by time
    #[command(
        after_help = "Examples:\n  andamio logs dev -f\n  andamio logs dev --process web --since 10m\n  \
                      andamio logs prod --unit mariadb --level warning --since yesterday --until 12:00\n  \
                      andamio logs prod --all --grep 'timeout|refused' -n 50\n\n\
                      Alone it shows the application, and warnings and worse of the rest. --machine, --unit and\n\
                      --level show all of what they name; Andamio's own logins come only with --all. -f is\n\
                      --follow here; a file is named with --file. On a terminal control characters are shown\n\
                      and not obeyed; in a pipe each line is as it was written."
    )]
    Logs {
        env: String,
        // In place of the global one, whose -f is --follow here.
        /// The file that declares the environments [default: andamio.toml here or in a folder above]
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Of this machine or group
        #[arg(long, value_name = "MACHINE")]
        machine: Option<String>,
        /// Of this service, as `status` or systemd calls it
        #[arg(long, value_name = "UNIT", conflicts_with = "process")]
        unit: Option<String>,
        /// Of this process of the application
        #[arg(long, value_name = "PROCESS")]
        process: Option<String>,
        /// This severity and worse: err, warning, info, debug
        #[arg(long, value_name = "LEVEL")]
        level: Option<String>,
        /// From this time on: 10m, 2h, 1d, today, "2026-01-31 12:00" (UTC), 1769860800
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        since: Option<String>,
        /// Up to this time, in the same forms
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        until: Option<String>,
        /// Lines that match this regular expression (PCRE); (?i) at its beginning ignores case
        #[arg(long, value_name = "RE", allow_hyphen_values = true)]
        grep: Option<String>,
        /// Everything that there is
        #[arg(long)]
        all: bool,
        /// Go on as new lines arrive
        #[arg(short, long)]
        follow: bool,
        /// At most so many lines, the newest [default: 200; with --since all]
        #[arg(short = 'n', long, value_name = "N")]
        lines: Option<u32>,
    },
    /// Open a shell on a machine, or run a command there
    #[command(after_help = "Examples:\n  andamio ssh dev app-1\n  andamio ssh dev app-1 -- uptime")]
    Ssh {
        env: String,
        machine: String,
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Run a command on a machine, or on the machines of a group, as root
    #[command(
        after_help = "Examples:\n  andamio exec dev app-1 -- systemctl --failed\n  andamio exec prod mariadb --all -- uptime\n  \
                      andamio exec dev mariadb -- mariadb-dump shop > dump.sql\n\n\
                      Of a group it takes one that runs. Input, output, terminal and signals are the command's;\n\
                      it ends with this program. The exit status is the command's, or 128 + signal."
    )]
    Exec {
        env: String,
        /// A machine, or a group
        machine: String,
        /// On every machine of the group
        #[arg(long)]
        all: bool,
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Run a one-off in the application's image, with its environment
    #[command(
        after_help = "Examples:\n  andamio run dev -- ficharfirm seed --employees 10\n  andamio run dev --process worker -- sh"
    )]
    Run {
        env: String,
        /// With the environment and the rights of this process; its own command, where none is given
        #[arg(long, value_name = "PROCESS")]
        process: Option<String>,
        #[arg(last = true, required_unless_present = "process")]
        command: Vec<String>,
    },
    /// Open the database, or run a statement
    #[command(
        after_help = "Examples:\n  andamio db dev\n  andamio db dev -- 'SELECT COUNT(*) FROM employees'\n  andamio db dev < dump.sql\n\n\
                      It is the server that takes the writes now."
    )]
    Db {
        env: String,
        #[arg(last = true)]
        sql: Vec<String>,
    },
    /// Show who changed what, when, with what result
    #[command(after_help = "Examples:\n  andamio history\n  andamio history dev --json")]
    History {
        env: Option<String>,
        /// At most this many runs, newest last
        #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
        lines: usize,
    },
    /// End the lock of a run that is gone
    #[command(after_help = "Examples:\n  andamio unlock dev\n  andamio unlock prod -y\n\n\
                            A holder that died on this machine loses its lock at once, one elsewhere a minute after its last\n\
                            sign of life. This ends a lock before that, or one whose holder lives: then it asks.")]
    Unlock { env: String },
    /// Show what an environment costs, by month and hour
    #[command(
        after_help = "Examples:\n  andamio cost\n  andamio cost prod --json\n  andamio cost prod --place linode\n  \
                            andamio cost --live\n\n\
                            --live asks https://api.linode.com without logging in. LINODE_URL, LINODE_API_VERSION and LINODE_CA\n\
                            name another address and whom to trust there, as for the Terraform provider."
    )]
    Cost {
        env: Option<String>,
        /// Place to buy at, instead of the environment's own
        #[arg(long, value_name = "PLACE")]
        place: Option<String>,
        /// Ask Linode's API for its prices of today, instead of the recorded list
        #[arg(long)]
        live: bool,
    },
    /// Break something under load, put it back, and say what users and records saw of it
    #[command(
        after_help = "Examples:\n  andamio drill prod database machine-kill\n  andamio drill dev queue process-kill --rate 50\n  \
                            andamio drill prod --all\n\n\
                            The machine whose loss is felt most is broken: who takes the writes, who has the floating address. The\n\
                            load is that of `andamio load`; a program of the application's adds records of accounts of its own, and\n\
                            lost ones are counted. 5 s calm, 10 s broken, 15 s after; then it waits for full redundancy.\n\
                            Of servers that exist only services are broken: stop and process-kill."
    )]
    Drill {
        env: String,
        #[arg(required_unless_present = "all")]
        target: Option<Target>,
        #[arg(required_unless_present = "all")]
        fault: Option<FaultKind>,
        /// Every fault of every target, one after another
        #[arg(long, conflicts_with_all = ["target", "fault"])]
        all: bool,
        /// Requests a second
        #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=2000))]
        rate: u32,
    },
    /// Send an environment so many requests a second, and say what became of them
    #[command(
        after_help = "Examples:\n  andamio load dev --rate 50 --seconds 30\n  andamio load prod --rate 500 --seconds 600 --out load.json -y\n  \
                            andamio load dev --rate 20 --seconds 10 --json | jq .p99_ms\n\n\
                            What is sent is `load` in [app]: requests, or a program of the application's image with the subcommands\n\
                            `seed` and `load`. Left out, it is the public program's own where it has both, else GET of `ready`.\n\
                            Requests are due on schedule whatever the answers, and their time counts from there. Each has 2 s and no\n\
                            second try; redirects are not followed. A failure is anything but 2xx, or but the request's `status`.\n\
                            They come from the ops machine, else from one of the application's. Ctrl-C ends it early, with the figures\n\
                            so far and status 130.\n\n\
                            It ends with 0 also when requests failed; with 1 when records that the application acknowledged are\n\
                            lost, or when not a single request succeeded."
    )]
    Load {
        env: String,
        /// Requests a second
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=5000))]
        rate: u32,
        /// How long
        #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=3600))]
        seconds: u32,
        /// Write the figures to a file, as --json has them
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Set, list and remove the application's secrets
    #[command(
        after_help = "Examples:\n  andamio secret set dev SESSION_KEY < key.txt\n  andamio secret list dev"
    )]
    Secret {
        #[command(subcommand)]
        what: SecretVerb,
    },
    /// Show a state, make a copy of one the owner of its environments, or others of them
    #[command(
        after_help = "Examples:\n  andamio state show\n  andamio state adopt\n  andamio state fork dev"
    )]
    State {
        #[command(subcommand)]
        what: StateVerb,
    },
    /// Say who can read the secrets
    #[command(
        after_help = "Examples:\n  andamio key list\n  andamio key show\n  andamio key add age1… --name Marta\n  \
                            andamio key remove Marta"
    )]
    Key {
        #[command(subcommand)]
        what: KeyVerb,
    },
    /// Print a shell's completions
    #[command(
        after_help = "Examples:\n  andamio completions bash > /etc/bash_completion.d/andamio"
    )]
    Completions { shell: Shell },
    /// Write the manual pages, one a verb (for packagers)
    #[command(hide = true, after_help = "Examples:\n  andamio man --out /usr/local/share/man/man1")]
    Man {
        /// Folder, made when it is not there
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// What runs on a machine (not for people)
    #[command(hide = true)]
    Node {
        #[command(subcommand)]
        what: NodeVerb,
    },
    /// What becomes a machine (not for people)
    #[command(hide = true)]
    Machine {
        #[command(subcommand)]
        what: Internal,
    },
}
