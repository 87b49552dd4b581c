//! Old images: each machine keeps what is live, one release to go back to, and what is being deployed. Layers of stages
//! are in no image that has a name; they are kept for the next build as long as the disk has room.

use super::{SERIES, build::PATIENCE};
use crate::Instance;
use crate::instance::while_it_runs;
use andamio_converge::{ARCHIVES, Release};
use andamio_engine::ErrorReport;
use andamio_remote::{Session, quote};
use futures_util::future::join_all;

/// Removes what is not kept from these machines. It is no condition for anything: a machine where it
/// fails is cleaned by the next deployment.
pub(super) async fn prune(instance: &Instance, release: &Release, mut machines: Vec<String>) {
    machines.sort();
    machines.dedup();
    let mut keep = kept(instance).await;
    keep.push(release.id.clone());
    let script = &script(
        &instance.request.spec.project.name,
        &keep,
        // Servers that somebody has already may have images of somebody else.
        instance.local().is_ok(),
    );
    let inventory = &instance.inventory();
    let work = machines.iter().filter_map(|machine| {
        let found = inventory.get(machine)?;
        Some(async move {
            let session = instance.nodes.session(found, PATIENCE).await.ok()?;
            let work = async { Ok::<_, ErrorReport>(session.output(script, &[]).await.ok()) };
            while_it_runs(instance, machine, work).await.ok()?
        })
    });
    join_all(work).await;
}

/// Ids of the live release and of the one before.
async fn kept(instance: &Instance) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for number in instance.store.numbers(SERIES).await.unwrap_or_default().into_iter().rev() {
        let Ok(body) = instance.store.read(SERIES, number).await else { continue };
        let Ok(record) = serde_json::from_slice::<super::Record>(&body) else { continue };
        if !record.id.is_empty() && !kept.contains(&record.id) {
            kept.push(record.id);
        }
        if kept.len() == 2 {
            break;
        }
    }
    kept
}

/// Takes away what has no name and nothing is made of, oldest first, until enough of the disk is free.
const LAYERS: &str = "\
    short() { df --output=pcent,avail -B1M /var/lib/containers | tail -n 1 | tr -d % | { read -r used free; \
    [ \"$used\" -gt 60 ] && [ \"$free\" -lt 20000 ]; }; }; \
    while short; do \
    i=$(podman images --quiet --no-trunc --filter dangling=true --filter label=andamio.layer \
    --sort created | tail -n 1); \
    [ -n \"$i\" ] && podman rmi \"$i\" >/dev/null 2>&1 || break; done;";
/// What had a name, on machines where nobody else has images.
const UNNAMED: &str = "podman image prune --force --filter label!=andamio.layer >/dev/null 2>&1;";

/// With less than that, or an eighth of a small disk, it is time to say so.
const ROOM: u64 = 2 << 30;

/// What is to be said of a disk that fills, before it is full.
pub(super) async fn warning(session: &Session) -> Option<String> {
    let command = "df --output=avail,size -B1 /var/lib/containers | tail -n 1";
    let output = session.output(command, &[]).await.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
    let (free, size) = (numbers.next()?, numbers.next()?);
    (free < ROOM.min(size / 8)).then(|| {
        let (free, machine) = (free >> 20, session.machine());
        format!("only {free} MB are free on the disk of {machine}; declare a larger `disk` before it is full")
    })
}

/// podman itself refuses to remove what a container is made of, running or not.
fn script(project: &str, keep: &[String], own_machine: bool) -> String {
    let name = |id: &String| format!("localhost/{project}:{id}");
    let names: Vec<String> = keep.iter().map(name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let files: Vec<String> =
        keep.iter().map(|id| format!("! -name {}", quote(&[&format!("{id}.tar")]))).collect();
    // An image is listed with all its names, also those that somebody else gave it.
    let ours = format!("localhost/{project}");
    let reference = quote(&[&format!("reference=localhost/{project}")]);
    let unnamed = if own_machine { UNNAMED } else { "" };
    format!(
        "find {ARCHIVES} -type f {} -delete 2>/dev/null; \
         for i in $(podman images --format '{{{{.Repository}}}}:{{{{.Tag}}}}' --filter {reference}); do \
         case \"$i\" in {ours}:*) ;; *) continue ;; esac; \
         for k in {}; do [ \"$i\" = \"$k\" ] && continue 2; done; n=$(podman image inspect --format '{{{{.Id}}}}' \"$i\"); podman rmi \"$i\" >/dev/null 2>&1; \
         [ \"$(podman image inspect --format '{{{{len .RepoTags}}}}' \"$n\" 2>/dev/null)\" = 0 ] && podman rmi \"$n\" >/dev/null 2>&1; done; \
         {unnamed} {LAYERS} :",
        files.join(" "),
        quote(&names),
    )
}

/// The same fault with what is used on that machine's disk.
pub(super) async fn used(session: &Session, fault: ErrorReport) -> ErrorReport {
    let command = "df -h --output=size,used,avail /var/lib/containers | tail -n 1; podman system df --format '{{.Type}} {{.Size}}' | head -n 1";
    let Ok(output) = session.output(command, &[]).await else { return fault };
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    let disk: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    let [size, used, free] = disk.as_slice() else { return fault };
    let images = lines.next().and_then(|line| line.strip_prefix("Images ")).unwrap_or("unknown");
    let message = format!(
        "{}\n{used} of {size} are used now, {free} free; images that are kept take {images}",
        fault.message
    );
    ErrorReport { message, ..fault }
}
