use super::*;
use crate::new_identity;
use andamio_engine::RunRecord;

struct World {
    folder: tempfile::TempDir,
    store: Store,
    secrets: Secrets,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::directory(&folder.path().join("state")).unwrap();
        let mut secrets = Secrets::default();
        secrets.complete(&[]).unwrap();
        Self { folder, store: store.instance("dev@local"), secrets }
    }

    fn me(&self, name: &str) -> Me {
        let file = self.folder.path().join(name);
        let age = new_identity(&file).unwrap();
        let text = format!("[project]\nname = \"x\"\nteam = [\n\"{age}\", # The {name}\n]\n");
        Me::find(&file, &text, "root@desk").unwrap().unwrap()
    }
}

#[tokio::test]
async fn who_reads_the_secrets_is_enrolled_once_and_not_after_a_removal() {
    let world = World::new();
    let (ana, store, secrets) = (world.me("ana"), &world.store, &world.secrets);
    assert_eq!(ana.name, "The ana");
    let list = Actors::enrolled(store, secrets, &ana).await.unwrap();
    assert_eq!((list.number, list.standing(ana.key.public())), (1, Standing::Active));
    assert_eq!(Actors::enrolled(store, secrets, &ana).await.unwrap().number, 1);
    let lines = list.lines(secrets, Some(&world.me("bo")));
    assert!(lines.len() == 3 && lines.is_sorted(), "{lines:?}");
    assert!(lines.iter().any(|l| l.ends_with(" andamio-actor:The-ana")), "{lines:?}");
    let mut list = list;
    list.actors[0].removed = Some(now());
    let list = list.write(store, "x@y", &[&secrets.ssh_pair()]).await.unwrap().unwrap();
    assert_eq!(list.lines(secrets, None), [secrets.ssh_public()]);
    let failure = Actors::enrolled(store, secrets, &ana).await.unwrap_err();
    assert_eq!(failure.error.code, "actor-removed");
}

#[tokio::test]
async fn a_list_that_the_instance_did_not_sign_is_not_believed() {
    let world = World::new();
    let (ana, store, secrets) = (world.me("ana"), &world.store, &world.secrets);
    let list = Actors::enrolled(store, secrets, &ana).await.unwrap();
    let refused = async || Actors::trusted(store, secrets).await.unwrap_err().error.code;
    // Somebody who can write the state signs with a key of their own.
    let other = KeyPair::generate().unwrap();
    list.clone().write(store, "eva@desk", &[&other]).await.unwrap().unwrap();
    assert_eq!(refused().await, "actors");
    // Or writes an older list under a newer number.
    let old = store.read(SERIES, 1).await.unwrap();
    store.append(SERIES, old).await.unwrap();
    assert_eq!(refused().await, "actors");
    // With a former key and the next one, it is good before and after the change.
    let mut next = secrets.clone();
    next.replace_ssh(&other);
    let list = Actors { number: 3, ..list };
    let keys = [&other, &secrets.ssh_pair()];
    list.write(store, "ana@desk", &keys).await.unwrap().unwrap();
    assert_eq!(Actors::trusted(store, secrets).await.unwrap().operator, other.public);
    assert_eq!(Actors::trusted(store, &next).await.unwrap().number, 4);
}

#[tokio::test]
async fn an_entry_is_believed_of_who_was_an_actor_then() {
    let world = World::new();
    let (ana, store, secrets) = (world.me("ana"), &world.store, &world.secrets);
    let ledger = Ledger::new(store.clone());
    let entry = || RunRecord::begin("up", "dev", "local", "ana@desk");
    ledger.append(entry()).await.unwrap();
    let list = Actors::enrolled(store, secrets, &ana).await.unwrap();
    let key = ana.key.public();
    assert!(!list.could_write(key, 1) && list.could_write(key, 2));
    let mut list = list;
    list.actors[0].until = Some(2);
    list.actors[0].removed = Some(now());
    assert!(list.could_write(key, 2) && !list.could_write(key, 3));
    ledger.append(entry()).await.unwrap();
    ledger.append(entry()).await.unwrap();
    // Added again, what it signs in between stays what it was.
    assert!(list.add(store, ana.actor()).await.unwrap());
    assert!(list.could_write(key, 2) && !list.could_write(key, 3) && list.could_write(key, 4));
    assert!(!list.could_write("ssh-ed25519 AAAA", 2));
}
