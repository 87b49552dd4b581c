//! The controller: reads the list of hosts, asks all of them at once what would change, and says what
//! that took.

use crate::hosts::List;
use andamio_manifest::Manifest;
use andamio_operate::Nodes;
use andamio_provision::{Found, MachineState};
use andamio_remote::SshKey;
use futures_util::future::join_all;
use std::net::Ipv4Addr;
use std::time::Instant;

pub(crate) fn run() {
    let list: List = serde_json::from_reader(std::io::stdin()).expect("the list of hosts");
    // As the command line's own.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let begun = Instant::now();
    let resources = runtime.block_on(ask(&list));
    let seconds = begun.elapsed().as_secs_f64();
    let figures = serde_json::json!({
        "seconds": seconds,
        "processor_seconds": processor_seconds(),
        "peak_memory_bytes": peak_memory(),
        "resources": resources,
    });
    println!("{figures}");
}

/// The number of resources that were compared.
async fn ask(list: &List) -> u32 {
    let identity = SshKey::parse(&list.identity, "the list").expect("a key");
    let program = std::env::current_exe().unwrap();
    let nodes = Nodes::new(vec![identity], &program, tokio::sync::Semaphore::MAX_PERMITS);
    let asked = list.hosts.iter().map(|host| {
        let found = Found {
            name: host.manifest.machine.clone(),
            address: Ipv4Addr::LOCALHOST,
            port: host.port,
            user: "root".to_owned(),
            state: MachineState::Running,
            host_key: host.key.clone(),
            outdated: false,
            disk_bytes: 0,
            read_only: false,
            booting: false,
        };
        let (nodes, manifest): (&Nodes, &Manifest) = (&nodes, &host.manifest);
        async move {
            let said = nodes.apply(&found, manifest, true, |_| {}).await;
            let said = said.unwrap_or_else(|fault| panic_with(&fault.message));
            let report = said.report;
            assert_eq!((report.changed, report.failed), (0, 0), "{}: {report:?}", found.name);
            assert_eq!(report.ok as usize, manifest.resources.len(), "{}", found.name);
            report.ok
        }
    });
    join_all(asked).await.into_iter().sum()
}

#[expect(clippy::panic, reason = "a benchmark with a host that does not answer says nothing")]
fn panic_with(message: &str) -> ! {
    panic!("{message}")
}

/// Of this process, all threads (getrusage is the same count; proc_pid_stat(5), fields 14 and 15).
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().map(|f| f.parse::<f64>().unwrap()).sum();
    // USER_HZ is 100 on every architecture that this runs on (sysconf(3), _SC_CLK_TCK).
    ticks / 100.0
}

/// `VmHWM`, the most that was ever resident (proc_pid_status(5)).
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).expect("VmHWM");
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}
