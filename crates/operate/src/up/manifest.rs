//! Generations: every declared state that was ever sent to a machine has a number, so that an old
//! command cannot undo a newer one.

use crate::{Failure, Instance};
use andamio_engine::Store;
use andamio_manifest::Manifest;

/// Of the state: a series for each machine.
pub(crate) const FOLDER: &str = "manifests";

fn series(machine: &str) -> String {
    format!("{FOLDER}/{machine}")
}

async fn newest(store: &Store, machine: &str) -> Result<(u64, String), Failure> {
    let newest = store.newest(&series(machine)).await?;
    Ok(newest.map_or((0, String::new()), |(number, body)| {
        (number, String::from_utf8_lossy(&body).trim().trim_matches('"').to_owned())
    }))
}

/// Is this the declared state that the machine was last sent? Then whatever differs is drift.
pub(super) async fn recorded(instance: &Instance, manifest: &Manifest) -> Result<bool, Failure> {
    Ok(newest(&instance.store, &manifest.machine).await?.1 == manifest.digest())
}

/// The generation under which a check would be sent: the recorded one, or the next.
pub(super) async fn peek(instance: &Instance, manifest: &Manifest) -> Result<u64, Failure> {
    let (number, digest) = newest(&instance.store, &manifest.machine).await?;
    Ok(if digest == manifest.digest() { number } else { number + 1 })
}

/// Gives the manifest its generation, recording it when it is new. What the record holds is a digest:
/// no secret is in it.
pub(super) async fn number(instance: &Instance, manifest: &mut Manifest) -> Result<(), Failure> {
    let (number, digest) = newest(&instance.store, &manifest.machine).await?;
    let own = manifest.digest();
    manifest.generation = number;
    if digest != own {
        let body = format!("\"{own}\"").into_bytes();
        manifest.generation = instance.store.append(&series(&manifest.machine), body).await?;
        let keep = manifest.generation.saturating_sub(10);
        instance.store.forget_below(&series(&manifest.machine), keep).await?;
    }
    Ok(())
}

/// Nothing that was sent counts any more: the machine was removed on purpose.
pub(crate) async fn forget(store: &Store, machine: &str) -> Result<(), Failure> {
    if !newest(store, machine).await?.1.is_empty() {
        store.append(&series(machine), b"\"\"".to_vec()).await?;
    }
    Ok(())
}
