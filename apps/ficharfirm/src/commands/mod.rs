//! What the command line starts.

pub(crate) mod erase;
pub(crate) mod migrate;
pub(crate) mod seed;
pub(crate) mod verify;

use std::{process::ExitCode, sync::Arc};

use crate::{
    cache::{Cache, CacheError},
    config::{Config, ConfigError, Database, Secrets},
    http::{self, App},
    keys::{KeyError, Keyring},
    load::LoadError,
    pin::PinError,
    queue::{self, relay::RelayState},
    signals::Signals,
    store::{Store, StoreError, migrate::MigrateError},
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the database did not do it")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Pin(#[from] PinError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("input or output failed")]
    Io(#[from] std::io::Error),
    #[error("there is no employee {0}")]
    NoEmployee(String),
    #[error("a thread broke off")]
    Thread(#[from] tokio::task::JoinError),
}

impl CommandError {
    /// The exit status: 1 failed, 2 wrong use or environment, 3 refused.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Cache(_) => 2,
            Self::Load(error) if error.usage() => 2,
            Self::Migrate(error) if error.refused() => 3,
            _ => 1,
        }
    }
}

/// The database and the keys, for commands that need nothing else.
fn store() -> Result<Store, CommandError> {
    let keys = Arc::new(Keyring::new(&Secrets::from_env()?)?);
    Ok(Store::new(&Database::from_env()?, keys)?)
}

pub(crate) async fn web() -> Result<ExitCode, CommandError> {
    let config = Config::from_env()?;
    let keys = Arc::new(Keyring::new(&config.secrets)?);
    let store = Store::new(&config.database, keys)?;
    let cache = Cache::new(&config.redis)?;
    let (signals, shutdown) = Signals::new()?;
    let relay = RelayState::default();
    tokio::spawn(cache.clone().keep());
    tokio::spawn(queue::relay::relay(config.amqp.clone(), store.clone(), relay.clone()));
    let app = App::new(config, store, cache, relay, shutdown);
    tokio::spawn(app.clone().watch());
    tokio::select! {
        served = http::serve(app) => served?,
        () = signals.second() => return Ok(ExitCode::from(130)),
    }
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn worker() -> Result<ExitCode, CommandError> {
    let config = Config::from_env()?;
    let keys = Arc::new(Keyring::new(&config.secrets)?);
    let store = Store::new(&config.database, keys)?;
    let (signals, shutdown) = Signals::new()?;
    tracing::info!(release = config.release, "worker");
    tokio::select! {
        () = queue::worker::work(&config, &store, shutdown) => {}
        () = signals.second() => return Ok(ExitCode::from(130)),
    }
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}
