//! Members come and go on one state, each with an identity of their own.

use super::{Member, TeamKeys};
use crate::secret::{Sealed, Secrets};
use crate::{Kind, new_identity};
use andamio_engine::{Holder, Lock, Scope, Store};
use std::fs;
use std::path::{Path, PathBuf};

const FILE: &str = "[project]\nname = \"shop\" # ours\n\n[app]\nsource = \".\"\n\
                    processes = { web = { command = [\"web\"] } }\n\n[environments.dev]\napp = {}\n";

struct Team {
    folder: tempfile::TempDir,
}

impl Team {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("andamio.toml"), FILE).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn store(&self) -> Store {
        Store::directory(&self.path("state")).unwrap()
    }

    /// The checkout of a person, as it is now.
    fn ring(&self, who: &str) -> TeamKeys {
        let file = self.path("andamio.toml");
        let text = fs::read_to_string(&file).unwrap();
        let (identity, by) = (self.path(who), format!("{who}@desk"));
        TeamKeys { store: self.store(), identity, file, text, by }
    }

    fn person(&self, who: &str) -> Member {
        let key = new_identity(&self.path(who)).unwrap();
        Member { key, name: who.to_owned() }
    }

    /// Secrets of an instance, made by a person who is no member yet.
    async fn secrets(&self, instance: &str, who: &str, value: &str) {
        let mut secrets = Secrets::default();
        secrets.set("KEY", Some(value.to_owned()));
        let readers = secrets.readers(&[], &self.path(who)).unwrap();
        secrets.save(&self.store().instance(instance), &readers).await.unwrap();
    }

    async fn reads(&self, who: &str, instance: &str) -> Option<String> {
        let store = self.store().instance(instance);
        let secrets = Secrets::load(&store, &self.path(who)).await.ok()?;
        secrets.values().get("KEY").cloned()
    }

    fn file(&self) -> String {
        fs::read_to_string(self.path("andamio.toml")).unwrap()
    }
}

fn identity(path: &Path) -> String {
    crate::public_keys(path).unwrap().remove(0)
}

#[tokio::test]
async fn a_member_reads_every_instance_and_is_taken_away_again() {
    let team = Team::new();
    let (ana, bo) = (team.person("ana"), team.person("bo"));
    team.secrets("dev@local", "ana", "one").await;
    team.secrets("prod@local", "ana", "two").await;
    assert_eq!(team.reads("bo", "dev@local").await, None);

    let changed = team.ring("ana").add(&bo).await.unwrap();
    assert_eq!(changed.instances, ["dev@local", "prod@local"]);
    // Whoever invites stands in the list too, so that nobody is in the state alone.
    assert_eq!(changed.members, [bo.clone(), ana.clone()]);
    assert!(team.file().contains("name = \"shop\" # ours") && team.file().contains("# bo\n"));
    assert_eq!(team.reads("bo", "prod@local").await.as_deref(), Some("two"));
    assert_eq!(team.reads("ana", "prod@local").await.as_deref(), Some("two"));

    let before = team.file();
    let ring = team.ring("bo");
    let removal = ring.removal("ana").await.unwrap();
    assert_eq!(removal.seen[0], ("dev@local".to_owned(), vec!["KEY".to_owned()]));
    ring.remove(&removal.key).await.unwrap();
    assert_eq!(team.reads("ana", "dev@local").await, None);
    assert!(!team.file().contains(&ana.key));

    // A checkout whose andamio.toml is older does not let her in again.
    let old = [ana.key.clone(), bo.key.clone()];
    let store = team.store().instance("dev@local");
    let secrets = Secrets::load(&store, &team.path("bo")).await.unwrap();
    let readers = secrets.readers(&old, &team.path("bo")).unwrap();
    secrets.save(&store, &readers).await.unwrap();
    assert_eq!(team.reads("ana", "dev@local").await, None);
    // `key add` does.
    fs::write(team.path("andamio.toml"), before).unwrap();
    team.ring("bo").add(&ana).await.unwrap();
    assert_eq!(team.reads("ana", "dev@local").await.as_deref(), Some("one"));
}

#[tokio::test]
async fn nothing_changes_when_one_instance_is_locked_or_unreadable() {
    let team = Team::new();
    let (_, bo) = (team.person("ana"), team.person("bo"));
    team.secrets("dev@local", "ana", "one").await;
    team.secrets("prod@local", "ana", "two").await;
    let store = team.store().instance("prod@local");
    let holder = Holder::current("x@y");
    let (lock, _) =
        Lock::take(&store, Scope::Converge, holder, "up prod@local", None).await.unwrap();
    let failure = team.ring("ana").add(&bo).await.unwrap_err();
    assert_eq!((failure.kind, team.file().as_str()), (Kind::Locked, FILE));
    lock.release().await.unwrap();

    let failure = team.ring("bo").add(&bo).await.unwrap_err();
    assert_eq!((failure.kind, team.file().as_str()), (Kind::Host, FILE));
    assert!(failure.error.message.contains("dev@local"), "{failure:?}");
    // Their locks are free again.
    team.ring("ana").add(&bo).await.unwrap();
}

#[tokio::test]
async fn the_last_key_stays_and_private_ones_are_not_repeated() {
    let team = Team::new();
    let ana = team.person("ana");
    team.secrets("dev@local", "ana", "one").await;
    let failure = team.ring("ana").removal(&ana.key).await.unwrap_err();
    assert_eq!((failure.kind, failure.error.code.as_str()), (Kind::Refused, "last-key"));
    for key in ["AGE-SECRET-KEY-1QQ", "ssh-rsa AAAA", "age1short", ""] {
        let member = Member { key: key.to_owned(), name: String::new() };
        let failure = team.ring("ana").add(&member).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Usage, "{key}");
        assert!(!failure.error.message.contains("SECRET"), "{failure:?}");
    }
    assert_eq!(team.ring("ana").find("nobody").await.unwrap_err().kind, Kind::Usage);
}

#[tokio::test]
async fn the_list_says_who_reads_what() {
    let team = Team::new();
    let (_, bo) = (team.person("ana"), team.person("bo"));
    team.secrets("dev@local", "ana", "one").await;
    team.ring("ana").add(&bo).await.unwrap();
    team.secrets("prod@local", "bo", "two").await;
    let keys = team.ring("ana").list().await.unwrap();
    assert_eq!(keys.you, [identity(&team.path("ana"))]);
    let reads = |key: &str| keys.keys.iter().find(|k| k.key == key).unwrap().instances.clone();
    assert_eq!(reads(&bo.key), ["dev@local", "prod@local"]);
    assert_eq!(reads(&keys.you[0]), ["dev@local"]);
    let states: Vec<_> = keys.instances.iter().map(|i| (i.readable, i.stale)).collect();
    assert_eq!(states, [(true, false), (false, true)]);
    let sealed = Sealed::newest(&team.store().instance("dev@local")).await.unwrap().unwrap();
    assert_eq!(sealed.recipients.len(), 2);
}
