//! The lock of an instance: of a thousand races each has one winner, two `up`s at once are one run
//! and one refusal, and a dead holder loses it by itself. Proves point 5 of the closing list (one
//! ledger of runs) and the lock of E1.

use andamio_engine::{Holder, Lock, LockError, LockRecord, Scope, Store};
use andamio_testkit::wait::until;
use andamio_testkit::{Abandoned, Need, Scenario, Steps};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Barrier;

pub(crate) const SCENARIO: Scenario = Scenario { name: "lock", need: Need::Nothing, run: all };

const RACES: usize = 1000;
const RIVALS: usize = 4;

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(RIVALS)
        .enable_all()
        .build()
        .unwrap();
    steps.step("1,000 races of four: one winner each", || {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::directory(folder.path()).unwrap();
        runtime.block_on(races(&store));
    });
    steps.step("a dead holder's lock is taken over, and it says whose it was", || {
        runtime.block_on(dead_holder());
    });
    steps.step("a holder that was killed and not yet waited for is dead", || {
        runtime.block_on(zombie());
    });
    steps.step("a live holder's is not, and the refusal names holder and purpose", || {
        runtime.block_on(live_holder());
    });
    Ok(())
}

/// A thousand times four want the lock at once.
pub(crate) async fn races(store: &Store) {
    let store = store.instance("race@local");
    for race in 0..RACES {
        let start = Arc::new(Barrier::new(RIVALS));
        // Winners keep it until everybody has tried, as a run would.
        let end = Arc::new(Barrier::new(RIVALS));
        let rivals: Vec<_> = (0..RIVALS)
            .map(|rival| {
                let (store, start, end) = (store.clone(), Arc::clone(&start), Arc::clone(&end));
                tokio::spawn(async move {
                    let holder = Holder::current(&format!("rival-{rival}"));
                    start.wait().await;
                    let taken = take(&store, holder, "up race@local").await;
                    end.wait().await;
                    match taken {
                        Ok((lock, former)) => {
                            lock.release().await.unwrap();
                            assert!(former.is_none(), "race {race}: taken from {former:?}");
                            1
                        }
                        Err(LockError::Held(record)) => {
                            assert_eq!(record.purpose, "up race@local");
                            0
                        }
                        Err(error) => panic!("race {race}: {error}"),
                    }
                })
            })
            .collect();
        let mut winners = 0;
        for rival in rivals {
            winners += rival.await.unwrap();
        }
        assert_eq!(winners, 1, "race {race} has {winners} winners");
    }
}

async fn take(
    store: &Store,
    holder: Holder,
    purpose: &str,
) -> Result<(Lock, Option<LockRecord>), LockError> {
    Lock::take(store, Scope::Converge, holder, purpose, None).await
}

async fn dead_holder() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::directory(folder.path()).unwrap();
    // A process that has the same number as this one and began at another time.
    let mut holder = Holder::current("ana@there");
    holder.pid_start += 1;
    let (lock, _) = take(&store, holder, "up dev@local").await.unwrap();
    drop(lock);
    let (lock, former) = take(&store, Holder::current("eva@here"), "down").await.unwrap();
    let former = former.expect("the dead holder");
    assert_eq!((former.holder.by.as_str(), former.purpose.as_str()), ("ana@there", "up dev@local"));
    lock.release().await.unwrap();
    assert!(Lock::holder(&store, Scope::Converge).await.unwrap().is_none());
}

/// Whoever started the holder may take its time, or never look.
async fn zombie() {
    let mut child = Command::new("true").spawn().unwrap();
    let fields = until("the child's end", Duration::from_secs(10), || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        let fields = stat.rsplit_once(')').unwrap().1.trim().to_owned();
        if fields.starts_with('Z') { Ok(fields) } else { Err(fields) }
    });
    let mut holder = Holder::current("ana@here");
    holder.pid = child.id();
    holder.pid_start = fields.split_whitespace().nth(19).unwrap().parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::directory(folder.path()).unwrap();
    drop(take(&store, holder, "up dev@local").await.unwrap());
    let taken = take(&store, Holder::current("eva@here"), "down").await;
    child.wait().unwrap();
    assert!(matches!(taken, Ok((_, Some(_)))), "a dead process holds the lock");
}

async fn live_holder() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::directory(folder.path()).unwrap();
    let (lock, _) = take(&store, Holder::current("ana@here"), "up dev@local").await.unwrap();
    let Err(refused) = take(&store, Holder::current("eva@here"), "down").await else {
        panic!("two hold it");
    };
    let says = refused.to_string();
    assert!(says.contains("ana@here") && says.contains("up dev@local"), "{says}");
    lock.release().await.unwrap();
    let again = take(&store, Holder::current("eva@here"), "down").await.unwrap();
    again.0.release().await.unwrap();
}
