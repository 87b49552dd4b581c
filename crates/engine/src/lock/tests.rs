use super::*;

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::directory(folder.path()).unwrap().instance("dev@local");
    (folder, store)
}

async fn take(store: &Store, by: &str) -> Result<Lock, LockError> {
    Lock::take(store, Holder::current(by), "up dev@local").await.map(|(lock, _)| lock)
}

/// Somebody read that number 1 is free, was stopped, and goes on when it has been forgotten.
#[tokio::test]
async fn a_forgotten_number_that_is_created_again_wins_nothing() {
    let (_folder, store) = store();
    for _ in 0..KEEP {
        take(&store, "ana@here").await.unwrap().release().await.unwrap();
    }
    let held = take(&store, "ana@here").await.unwrap();
    assert!(!store.numbers(SERIES).await.unwrap().contains(&1), "nothing was forgotten");
    let late = LockRecord { holder: Holder::current("eva@here"), ..held.record.clone() };
    assert!(store.create(SERIES, 1, body(&late)).await.unwrap(), "the store lets it be created");
    store.forget_below(SERIES, 2).await.unwrap();
    assert!(!create(&store, 1, &late).await.unwrap(), "two hold the lock");
    let Err(LockError::Held(record)) = take(&store, "eva@here").await else {
        panic!("two hold it")
    };
    assert_eq!(record.holder.by, "ana@here");
    held.release().await.unwrap();
    assert!(Lock::holder(&store).await.unwrap().is_none());
}

/// The renewal's record is there, and the holder was stopped before it knew.
#[tokio::test]
async fn a_renewal_that_its_holder_does_not_know_of_is_released_too() {
    let (_folder, store) = store();
    let lock = take(&store, "ana@here").await.unwrap();
    let number = *lock.number.lock().await;
    assert!(create(&store, number + 1, &lock.record).await.unwrap());
    lock.release().await.unwrap();
    assert!(Lock::holder(&store).await.unwrap().is_none(), "it is still held");
}

#[tokio::test]
async fn a_lock_that_was_taken_over_is_not_given_back() {
    let (_folder, store) = store();
    let ana = take(&store, "ana@here").await.unwrap();
    Lock::force(&store).await.unwrap().expect("a holder");
    let eva = take(&store, "eva@here").await.unwrap();
    ana.release().await.unwrap();
    let holder = Lock::holder(&store).await.unwrap().expect("Eva holds it");
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
    let (lock, _) = Lock::take(&store, holder, "up dev@local").await.unwrap();
    assert!(matches!(take(&store, "eva@here").await, Err(LockError::Held(_))));
    lock.release().await.unwrap();
}
