use super::*;
use crate::{Action, BoxFuture, Cancel, ErrorReport, Events, Outcome, Step, StepContext, run};

const SCOPE: Scope = Scope::Converge;

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::directory(folder.path()).unwrap().instance("dev@local");
    (folder, store)
}

async fn take(store: &Store, by: &str) -> Result<Lock, LockError> {
    Lock::take(store, SCOPE, Holder::current(by), "up dev@local", None).await.map(|(lock, _)| lock)
}

/// Somebody read that number 1 is free, was stopped, and goes on when it has been forgotten.
#[tokio::test]
async fn a_forgotten_number_that_is_created_again_wins_nothing() {
    let (_folder, store) = store();
    for _ in 0..KEEP {
        take(&store, "ana@here").await.unwrap().release().await.unwrap();
    }
    let held = take(&store, "ana@here").await.unwrap();
    assert!(!store.numbers(SCOPE.series()).await.unwrap().contains(&1), "nothing was forgotten");
    let late = LockRecord { holder: Holder::current("eva@here"), ..held.record.clone() };
    assert!(
        store.create(SCOPE.series(), 1, body(&late)).await.unwrap(),
        "the store lets it be created"
    );
    store.forget_below(SCOPE.series(), 2).await.unwrap();
    assert!(!create(&store, SCOPE, 1, &late).await.unwrap(), "two hold the lock");
    let Err(LockError::Held(record)) = take(&store, "eva@here").await else {
        panic!("two hold it")
    };
    assert_eq!(record.holder.by, "ana@here");
    held.release().await.unwrap();
    assert!(Lock::holder(&store, SCOPE).await.unwrap().is_none());
}

/// The renewal's record is there, and the holder was stopped before it knew.
#[tokio::test]
async fn a_renewal_that_its_holder_does_not_know_of_is_released_too() {
    let (_folder, store) = store();
    let lock = take(&store, "ana@here").await.unwrap();
    let number = *lock.number.lock().await;
    assert!(create(&store, SCOPE, number + 1, &lock.record).await.unwrap());
    lock.release().await.unwrap();
    assert!(Lock::holder(&store, SCOPE).await.unwrap().is_none(), "it is still held");
}

#[tokio::test]
async fn a_lock_that_was_taken_over_is_not_given_back() {
    let (_folder, store) = store();
    let ana = take(&store, "ana@here").await.unwrap();
    Lock::force(&store, SCOPE).await.unwrap().expect("a holder");
    let eva = take(&store, "eva@here").await.unwrap();
    ana.release().await.unwrap();
    let holder = Lock::holder(&store, SCOPE).await.unwrap().expect("Eva holds it");
    assert_eq!(holder.holder.by, "eva@here");
    eva.release().await.unwrap();
}

/// A container sees other processes under the same numbers.
#[tokio::test]
async fn a_process_among_other_numbers_is_not_taken_for_dead() {
    let (_folder, store) = store();
    let mut holder = Holder::current("ana@container");
    holder.pid_start += 1;
    assert!(holder.dead());
    holder.pid_space = "pid:[1]".to_owned();
    assert!(!holder.dead());
    let (lock, _) = Lock::take(&store, SCOPE, holder, "up dev@local", None).await.unwrap();
    assert!(matches!(take(&store, "eva@here").await, Err(LockError::Held(_))));
    lock.release().await.unwrap();
}

/// A step that must not be started.
struct Never;

impl Action for Never {
    fn apply<'a>(&'a self, _: &'a StepContext<'a>) -> BoxFuture<'a, Result<Outcome, ErrorReport>> {
        Box::pin(async { panic!("it was started") })
    }
}

#[tokio::test]
async fn no_step_starts_once_the_lock_is_lost() {
    let (_folder, store) = store();
    let lock = take(&store, "ana@here").await.unwrap();
    let cancel = Cancel::under(lock.lease());
    assert!(!cancel.requested() && lock.lease().is_held());
    // Neither was it renewed in time, nor does it help that somebody renews it now.
    lock.lease().extend(Moment::after(Duration::ZERO));
    let steps = [Step::new("one", "the first step", Never)];
    let (events, _receiver) = Events::new("run");
    let outcome = run(&steps, &events, &cancel).await;
    assert!(outcome.lost && outcome.failed == 1, "{outcome:?}");
    let fault = outcome.error.unwrap();
    assert!(fault.code == "lock-lost" && fault.message.contains("the first step"), "{fault:?}");
    lock.lease().lost().await;
}

#[tokio::test]
async fn a_lock_whose_record_is_damaged_can_be_ended() {
    let (_folder, store) = store();
    take(&store, "ana@here").await.unwrap().release().await.unwrap();
    let next = store.last(SCOPE.series()).await.unwrap().unwrap() + 1;
    assert!(store.create(SCOPE.series(), next, b"{\"v\": 1, \"hol".to_vec()).await.unwrap());
    let Err(LockError::Garbled(number, _)) = take(&store, "eva@here").await else {
        panic!("it was taken")
    };
    assert_eq!(number, next);
    assert!(Lock::force(&store, SCOPE).await.unwrap().is_some());
    take(&store, "eva@here").await.unwrap().release().await.unwrap();
}

#[tokio::test]
async fn a_lock_from_the_future_says_so() {
    let (_folder, store) = store();
    let lock = take(&store, "ana@there").await.unwrap();
    assert!(!lock.record.from_the_future());
    let ahead = crate::now().saturating_add(Duration::from_secs(3600)).unwrap();
    let record = LockRecord { since: ahead, expires: expiry(ahead), ..lock.record.clone() };
    assert!(LockError::Held(Box::new(record)).to_string().contains("clock"));
    lock.release().await.unwrap();
}

fn elsewhere(by: &str) -> Holder {
    Holder { boot: "of another machine".to_owned(), ..Holder::current(by) }
}

/// Its clock is an hour behind, or ahead: what counts is when its record was written, by the store's time.
#[tokio::test]
async fn the_clock_of_another_machine_decides_nothing() {
    let (folder, store) = store();
    let mut record = LockRecord::new(elsewhere("ana@there"), "up dev@local".to_owned());
    record.expires = crate::now().saturating_sub(Duration::from_secs(3600)).unwrap();
    assert!(create(&store, SCOPE, 1, &record).await.unwrap());
    assert!(matches!(take(&store, "eva@here").await, Err(LockError::Held(_))));
    record.expires = crate::now().saturating_add(Duration::from_secs(3600)).unwrap();
    assert!(create(&store, SCOPE, 2, &record).await.unwrap());
    let file = folder.path().join("dev.local/lock/0000000002.json");
    let old = std::time::SystemTime::now() - EXPIRY - 2 * COARSE;
    std::fs::File::options().write(true).open(file).unwrap().set_modified(old).unwrap();
    take(&store, "eva@here").await.unwrap().release().await.unwrap();
}

#[tokio::test]
async fn whoever_waits_is_told_for_whom_and_gets_the_lock() {
    let (_folder, store) = store();
    let held = take(&store, "ana@here").await.unwrap();
    let told = std::sync::Mutex::new(Vec::new());
    let note = |record: &LockRecord| told.lock().unwrap().push(record.holder.by.clone());
    let wait = |most| Wait { most, told: &note };
    let holder = || Holder::current("eva@here");
    let short = wait(Duration::from_millis(1));
    let taken = Lock::take(&store, SCOPE, holder(), "up dev@local", Some(&short)).await;
    assert!(matches!(taken, Err(LockError::Held(_))));
    let long = wait(Duration::from_secs(20));
    let (taken, released) =
        tokio::join!(Lock::take(&store, SCOPE, holder(), "up dev@local", Some(&long)), async {
            tokio::time::sleep(2 * LOOK).await;
            held.release().await
        });
    released.unwrap();
    taken.unwrap().0.release().await.unwrap();
    let told = told.lock().unwrap();
    assert!(!told.is_empty() && told.iter().all(|who| who == "ana@here"), "{told:?}");
}

#[tokio::test]
async fn scopes_do_not_keep_each_other_away() {
    let (_folder, store) = store();
    let held = take(&store, "ana@here").await.unwrap();
    let holder = Holder::current("eva@here");
    let (release, _) =
        Lock::take(&store, Scope::Release, holder, "deploy dev@local", None).await.unwrap();
    assert!(Lock::holder(&store, Scope::Release).await.unwrap().is_some());
    release.release().await.unwrap();
    held.release().await.unwrap();
}
