//! The command line.

use clap::Parser;
use linode_emulator::fault::Fault;
use linode_emulator::s3::Conditions;
use std::net::SocketAddr;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  linode-emulator --listen 127.0.0.1:8080 --state emulator
      then LINODE_URL=http://127.0.0.1:8080 LINODE_TOKEN=x terraform apply
  linode-emulator --listen 127.0.0.1:0 --state emulator --pace 0
      a port that is free, and no waiting
  linode-emulator --listen 127.0.0.1:8080 --state emulator --fault busy:3:POST --fault 429:10
      every third POST finds the Linode busy, every tenth request is one too many

  linode-emulator --listen 127.0.0.1:8080 --s3-listen 127.0.0.1:9000 --state emulator
      buckets that take objects, too: AWS_ENDPOINT_URL=http://127.0.0.1:9000

Faults are WHAT:EVERY[:METHOD[:PATH]], WHAT one of 429, 500, 503, 408, busy, timeout (no answer,
nothing done) and lost (no answer, though done); PATH is behind /v4, what is below it counts
too, and * is any part: 500:2:GET:/linode/instances/*/ips. Those of S3 are below /s3:
lost:3:PUT:/s3/BUCKET

Standard output has one line when it listens, with the address, and one for S3. Exit status: 0 told to stop,
1 failed, 2 usage.";

/// Linode's API v4 on this machine
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Address and port to listen on; port 0 is one that is free
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// Address and port to serve S3 on, for the buckets that the API makes
    #[arg(long, value_name = "ADDR")]
    pub(crate) s3_listen: Option<SocketAddr>,
    /// Name of that address in what the API shows [default: the address]
    #[arg(long, value_name = "NAME", requires = "s3_listen")]
    pub(crate) s3_name: Option<String>,
    /// What becomes of `If-None-Match: *` in S3: kept, racy (looks and writes later) or ignored
    #[arg(long, value_name = "HOW", default_value = "kept", requires = "s3_listen")]
    pub(crate) s3_conditions: Conditions,
    /// Folder that everything is kept in; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) state: PathBuf,
    /// The only token that will do; without it any will
    #[arg(long, value_name = "T", env = "LINODE_EMULATOR_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Milliseconds of a unit of work: a boot takes two, a resize three
    #[arg(long, value_name = "MS", default_value_t = 500)]
    pub(crate) pace: u32,
    /// Something that goes wrong; may be given several times
    #[arg(long, value_name = "FAULT")]
    pub(crate) fault: Vec<Fault>,
    /// Milliseconds before an answer that never comes ends
    #[arg(long, value_name = "MS", default_value_t = 30_000)]
    pub(crate) timeout: u32,
    /// Count no requests
    #[arg(long)]
    pub(crate) no_rate_limits: bool,
    /// Certificate chain (PEM): serve TLS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
}
