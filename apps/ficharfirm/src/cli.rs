//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "ficharfirm",
    version,
    about = "Clocking in and out; a timesheet a month, signed",
    after_help = "Environment: DATABASE_URL, REDIS_URL, AMQP_URL, SESSION_KEY, PORT; optional DATABASE_CA, \
                  REDIS_CA, AMQP_CA, SESSION_KEY_PREVIOUS, TRUSTED_PROXIES, DRAIN_SECONDS, DATABASE_POOL, \
                  ANDAMIO_RELEASE, LOG (error, warn, info, debug).\n\
                  Exit status: 0 done, 1 failed, 2 wrong use or environment, 3 refused."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve the page and the API on PORT until told to stop
    Web,
    /// Sign the months that employees ask for, until told to stop
    Worker,
    /// Change the database's schema, or show where it is
    #[command(after_help = "Examples:\n  ficharfirm migrate up\n  ficharfirm migrate down\n  \
                            ficharfirm migrate status --json")]
    Migrate {
        #[command(subcommand)]
        action: Migrate,
    },
    /// Add employees with random PINs and print them, once, as JSON Lines
    #[command(after_help = "Example:\n  ficharfirm seed --employees 50 > accounts.jsonl")]
    Seed {
        /// How many to add
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
        employees: u64,
    },
    /// Check every record's place in its chain and every signature; exit 1 at a break
    Verify {
        /// Print {employees, records, signatures, breaks} as JSON
        #[arg(long)]
        json: bool,
    },
    /// Erase an employee: the key is destroyed, the records become unreadable, the chain still verifies
    #[command(
        after_help = "Working-time records must be kept for four years in Spain; erase earlier only \
                            where the law asks for it.\n\nExample:\n  ficharfirm erase --employee E00042"
    )]
    Erase {
        /// Whom
        #[arg(long, value_name = "E")]
        employee: String,
    },
    /// Wrap all employees' keys under SESSION_KEY, after a change of it (the old one in SESSION_KEY_PREVIOUS)
    Rewrap,
    /// Put an exact load on an installation and count what fails or gets lost
    Load(Load),
}

#[derive(Subcommand)]
pub(crate) enum Migrate {
    /// Bring the schema to the newest version, or to V
    Up {
        #[arg(long, value_name = "V")]
        to: Option<u32>,
    },
    /// Take the newest step back, or all above V
    Down {
        #[arg(long, value_name = "V")]
        to: Option<u32>,
        /// Go back even where rows are destroyed
        #[arg(long)]
        data_loss: bool,
    },
    /// Show each version and when it was applied
    Status {
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args, Clone)]
#[command(
    long_about = "Put an exact load on an installation and count what fails or gets lost.\n\nOpen loop: N \
                  requests a second whatever the answers. Latency counts from the scheduled send. 2 s \
                  time-out, no retry; anything but 2xx is a failure. Of 25 requests 24 punch and one reads a \
                  timesheet. At the end the timesheets must show every acknowledged punch: exit 1 if not.",
    after_help = "Examples:\n  ficharfirm seed --employees 50 > accounts.jsonl\n  \
                  ficharfirm load --url http://127.0.0.1:8080 --rate 100 --seconds 60 --accounts accounts.jsonl\n  \
                  ficharfirm seed --employees 20 | ficharfirm load --url https://ficharfirm.example \
                  --ca ca.pem --rate 50 --seconds 30 --json"
)]
pub(crate) struct Load {
    /// Where: http:// or https://
    #[arg(long, value_name = "U")]
    pub(crate) url: String,
    /// Requests a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) rate: u32,
    /// How long
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) seconds: u32,
    /// JSON Lines {employee, pin}, as `seed` prints them; without it they are read from stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) accounts: Option<PathBuf>,
    /// Write acknowledged punches here, as JSON Lines
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// For https: trust only the authorities in this PEM file, instead of the public ones and Andamio's here
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Connect to this address whatever the URL's host resolves to
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) connect: Option<std::net::IpAddr>,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
