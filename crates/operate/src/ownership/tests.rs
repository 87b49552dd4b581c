use super::*;
use std::fs;
use std::path::Path;

const INSTANCE: &str = "dev@local";

async fn seen(folder: &Path) -> (Owner, Ownership) {
    let place = StatePlace::Folder(folder.to_owned());
    let store = Store::look(&place).unwrap().instance(INSTANCE);
    look(&store, &place, INSTANCE, "ana@here").await.unwrap()
}

/// As a run opens it for writing.
async fn opened(folder: &Path) -> (Owner, Ownership) {
    let (owner, ownership) = seen(folder).await;
    let store = Store::directory(folder).unwrap().instance(INSTANCE);
    if matches!(ownership, Ownership::New | Ownership::Moved) {
        owner.record(&store).await.unwrap();
    }
    (owner, ownership)
}

fn copy(from: &Path, to: &Path) {
    let words = ["-a", &from.display().to_string(), &to.display().to_string()].map(str::to_owned);
    assert!(std::process::Command::new("cp").args(words).status().unwrap().success());
}

#[tokio::test]
async fn a_moved_state_is_followed_and_a_copy_is_not() {
    let root = tempfile::tempdir().unwrap();
    let (first, second) = (root.path().join("first"), root.path().join("second"));
    let (made, ownership) = opened(&first).await;
    assert_eq!(ownership, Ownership::New);
    assert_eq!(opened(&first).await, (made.clone(), Ownership::Own));
    copy(&first, &second);
    let (owner, ownership) = seen(&second).await;
    assert_eq!((owner.clone(), ownership), (made.clone(), Ownership::Copied));
    let why = copied(&owner, INSTANCE);
    assert_eq!((why.kind, &*why.error.code), (Kind::Refused, "copied-state"));
    assert!(why.error.message.contains("/first"), "{}", why.error.message);
    fs::remove_dir_all(&first).unwrap();
    let (moved, ownership) = opened(&second).await;
    assert_eq!((&moved.id, ownership), (&made.id, Ownership::Moved));
    assert_eq!(seen(&second).await.1, Ownership::Own);
    // Whoever begins anew at the old place has nothing to do with it.
    assert_eq!(seen(&first).await.1, Ownership::New);
}

#[tokio::test]
async fn a_copy_can_be_made_the_owner() {
    let root = tempfile::tempdir().unwrap();
    let (first, second) = (root.path().join("first"), root.path().join("second"));
    let (made, _) = opened(&first).await;
    copy(&first, &second);
    let place = StatePlace::Folder(second.clone());
    let store = Store::directory(&second).unwrap().instance(INSTANCE);
    Owner::here(&made.id, &place, "eva@here").record(&store).await.unwrap();
    assert_eq!(seen(&second).await.1, Ownership::Own);
}

#[tokio::test]
async fn nobody_can_look_into_the_folder_of_another_machine() {
    let root = tempfile::tempdir().unwrap();
    let (made, _) = opened(root.path()).await;
    let store = Store::directory(root.path()).unwrap().instance(INSTANCE);
    Owner { host: "another".to_owned(), ..made }.record(&store).await.unwrap();
    let (owner, ownership) = seen(root.path()).await;
    assert_eq!(ownership, Ownership::Copied);
    assert!(owner.shown().ends_with("of another machine"));
}
