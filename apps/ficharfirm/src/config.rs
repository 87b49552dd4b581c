//! What the process is told by its environment. Every complaint names the variable and the remedy.

use std::{env, net::IpAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;

/// Shorter secrets are refused: everything that is signed or wrapped hangs on this one string.
const SESSION_KEY_MIN: usize = 32;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("{name} is not set: {remedy}")]
    Missing { name: &'static str, remedy: &'static str },
    #[error("{name} can't be used ({reason}): {remedy}")]
    Invalid { name: &'static str, reason: String, remedy: &'static str },
}

/// The environment of the processes that serve and work (`web`, `worker`).
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) database: Database,
    pub(crate) secrets: Secrets,
    pub(crate) redis: Redis,
    pub(crate) amqp: Amqp,
    pub(crate) port: u16,
    pub(crate) release: String,
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// How long a stopping web process still accepts, so that balancers notice `/readyz` first.
    pub(crate) drain: Duration,
    pub(crate) exports: PathBuf,
}

#[derive(Clone)]
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) pool: u32,
}

#[derive(Clone)]
pub(crate) struct Secrets {
    pub(crate) current: String,
    /// The key before the last rotation: still opens what it wrapped, signs nothing new.
    pub(crate) previous: Option<String>,
}

#[derive(Clone)]
pub(crate) struct Redis {
    pub(crate) nodes: Vec<String>,
    pub(crate) ca: Option<PathBuf>,
}

#[derive(Clone)]
pub(crate) struct Amqp {
    pub(crate) nodes: Vec<String>,
    pub(crate) ca: Option<PathBuf>,
}

const DATABASE_REMEDY: &str = "give mysql://USER:PASSWORD@HOST:3306/DATABASE, special characters \
                               of the password percent-encoded";
const REDIS_REMEDY: &str =
    "give the cluster's nodes, comma separated: redis://:PASSWORD@HOST:6379/ (rediss:// for TLS)";
const AMQP_REMEDY: &str = "give the brokers, comma separated, tried in turn: \
                           amqp://USER:PASSWORD@HOST:5672/VHOST (amqps:// for TLS)";
const KEY_REMEDY: &str = "give a random string of at least 32 characters and keep it: employees' \
                          keys are wrapped with it (andamio secret set SESSION_KEY)";

impl Config {
    pub(crate) fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            database: Database::from_env()?,
            secrets: Secrets::from_env()?,
            redis: Redis::from_env()?,
            amqp: Amqp {
                nodes: list("AMQP_URL", &["amqp://", "amqps://"], AMQP_REMEDY)?,
                ca: file("AMQP_CA")?,
            },
            port: number("PORT", 8080, "give a TCP port, 1 to 65535")?,
            release: env::var("ANDAMIO_RELEASE").unwrap_or_else(|_| "unreleased".into()),
            trusted_proxies: trusted(&env::var("TRUSTED_PROXIES").unwrap_or_default())?,
            drain: Duration::from_secs(number("DRAIN_SECONDS", 5, "give seconds, 0 to 15")?)
                .min(Duration::from_secs(15)),
            exports: exports(),
        })
    }
}

/// Where signed sheets are written when the folder is there.
pub(crate) fn exports() -> PathBuf {
    env::var_os("EXPORTS").map_or_else(|| "/data/exports".into(), PathBuf::from)
}

impl Database {
    pub(crate) fn from_env() -> Result<Self, ConfigError> {
        let url = required("DATABASE_URL", DATABASE_REMEDY)?;
        if !url.starts_with("mysql://") && !url.starts_with("mariadb://") {
            return Err(invalid("DATABASE_URL", "it isn't a mysql:// address", DATABASE_REMEDY));
        }
        Ok(Self {
            url,
            ca: file("DATABASE_CA")?,
            pool: number("DATABASE_POOL", 16, "give the most connections of one process")?,
        })
    }
}

impl Secrets {
    pub(crate) fn from_env() -> Result<Self, ConfigError> {
        let current = required("SESSION_KEY", KEY_REMEDY)?;
        if current.len() < SESSION_KEY_MIN {
            return Err(invalid("SESSION_KEY", "shorter than 32 characters", KEY_REMEDY));
        }
        let previous = env::var("SESSION_KEY_PREVIOUS").ok().filter(|k| !k.is_empty());
        Ok(Self { current, previous })
    }
}

impl Redis {
    pub(crate) fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            nodes: list("REDIS_URL", &["redis://", "rediss://"], REDIS_REMEDY)?,
            ca: file("REDIS_CA")?,
        })
    }
}

fn invalid(name: &'static str, reason: impl Into<String>, remedy: &'static str) -> ConfigError {
    ConfigError::Invalid { name, reason: reason.into(), remedy }
}

fn required(name: &'static str, remedy: &'static str) -> Result<String, ConfigError> {
    env::var(name).ok().filter(|v| !v.is_empty()).ok_or(ConfigError::Missing { name, remedy })
}

fn list(
    name: &'static str,
    schemes: &[&str],
    remedy: &'static str,
) -> Result<Vec<String>, ConfigError> {
    let nodes: Vec<String> = required(name, remedy)?
        .split(',')
        .map(str::trim)
        .filter(|n| !n.is_empty())
        .map(Into::into)
        .collect();
    if nodes.is_empty() || nodes.iter().any(|n| !schemes.iter().any(|s| n.starts_with(s))) {
        return Err(invalid(name, format!("not a list of {}", schemes.join(" or ")), remedy));
    }
    Ok(nodes)
}

fn number<T: std::str::FromStr>(
    name: &'static str,
    default: T,
    remedy: &'static str,
) -> Result<T, ConfigError> {
    match env::var(name) {
        Ok(text) if !text.is_empty() => {
            text.parse().map_err(|_| invalid(name, format!("{text:?} is no such number"), remedy))
        }
        _ => Ok(default),
    }
}

fn file(name: &'static str) -> Result<Option<PathBuf>, ConfigError> {
    let Some(path) = env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from) else {
        return Ok(None);
    };
    match std::fs::metadata(&path) {
        Ok(_) => Ok(Some(path)),
        Err(e) => Err(invalid(
            name,
            format!("{}: {e}", path.display()),
            "give the path of a PEM file with the authority's certificate, or unset it",
        )),
    }
}

fn trusted(text: &str) -> Result<Vec<IpNet>, ConfigError> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            part.parse::<IpNet>().or_else(|_| part.parse::<IpAddr>().map(IpNet::from)).map_err(
                |_| {
                    invalid(
                        "TRUSTED_PROXIES",
                        format!("{part:?} is no address or network"),
                        "give the balancers' networks, comma separated, such as 10.0.0.0/8,::1",
                    )
                },
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_networks_or_single_addresses() {
        let nets = trusted("10.0.0.0/8, 192.0.2.1,::1").unwrap();
        assert_eq!(nets.len(), 3);
        assert!(nets[1].contains(&"192.0.2.1".parse::<IpAddr>().unwrap()));
        assert!(trusted("").unwrap().is_empty());
    }

    #[test]
    fn a_complaint_names_the_variable_and_the_remedy() {
        let text = trusted("balancer").unwrap_err().to_string();
        assert!(text.contains("TRUSTED_PROXIES") && text.contains("10.0.0.0/8"), "{text}");
    }
}
