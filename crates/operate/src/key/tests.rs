//! Members come and go on one state, each with an identity of their own.

use super::{Keys, Member, Newcomer, TeamKeys};
use crate::actor::{Actors, Purpose, Standing};
use crate::history::History;
use crate::secret::{Sealed, Secrets, bare};
use crate::{Kind, new_identity};
use andamio_engine::{Holder, Lock, Scope, Signature, Store};
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
        secrets.complete(&[]).unwrap();
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

impl Team {
    async fn actors(&self, instance: &str, reader: &str) -> Actors {
        let store = self.store().instance(instance);
        let secrets = Secrets::load(&store, &self.path(reader)).await.unwrap();
        Actors::trusted(&store, &secrets).await.unwrap()
    }

    /// A machine that `up` would have made, and told of the newest list.
    async fn machine(&self, instance: &str, name: &str) {
        let store = self.store().instance(instance);
        store.append(&format!("manifests/{name}"), b"\"digest\"".to_vec()).await.unwrap();
        let number = store.last("actors").await.unwrap().unwrap();
        let heard = format!("{{\"v\":1,\"actors\":{number}}}");
        store.append(&format!("heard/{name}"), heard.into_bytes()).await.unwrap();
    }

    fn ssh(&self, who: &str) -> String {
        self.ring(who).show().unwrap().ssh
    }
}

#[tokio::test]
async fn who_is_added_with_an_ssh_key_is_an_actor_until_removed() {
    let team = Team::new();
    let (_, bo) = (team.person("ana"), team.person("bo"));
    team.secrets("dev@local", "ana", "one").await;
    let pasted = format!("{}\n{}", bo.key, team.ssh("bo"));
    let new = Newcomer::of(&pasted, Some("Bo"), Purpose::Team);
    team.ring("ana").add(new.clone()).await.unwrap();
    let (ana_ssh, bo_ssh) = (team.ssh("ana"), team.ssh("bo"));
    let list = team.actors("dev@local", "bo").await;
    assert_eq!(list.name(&bo_ssh), Some("Bo"));
    // Whoever adds others is enrolled by it.
    assert_eq!((list.actors.len(), list.standing(&ana_ssh)), (2, Standing::Active));
    let key = team.ring("ana").find(&bo_ssh).await.unwrap();
    assert_eq!((key.key.as_str(), key.purpose), (bo.key.as_str(), Purpose::Team));

    let instance = team.store().instance("dev@local");
    let before = Secrets::load(&instance, &team.path("ana")).await.unwrap().ssh_pair();
    for machine in ["app-1", "redis-1"] {
        team.machine("dev@local", machine).await;
    }
    let changed = team.ring("ana").remove(&key).await.unwrap();
    let behind = ("dev@local".to_owned(), vec!["app-1".to_owned(), "redis-1".to_owned()]);
    assert_eq!(changed.missing_on, [behind]);
    let list = team.actors("dev@local", "ana").await;
    assert_eq!(list.standing(&bo_ssh), Standing::Removed);
    // The instance has another key, and knows the former one to connect with.
    let secrets = Secrets::load(&instance, &team.path("ana")).await.unwrap();
    assert!(secrets.ssh_pair().public != before.public);
    assert!(!list.lines(&secrets, None).join("\n").contains(&before.public));
    assert_eq!(secrets.ssh_identities().unwrap().len(), 2);
    let find =
        |keys: &Keys| keys.keys.iter().find(|k| k.key == bo.key || k.key == bare(&bo_ssh)).cloned();
    let listed = find(&team.ring("ana").list().await.unwrap()).unwrap();
    assert!(listed.removed, "{listed:?}");
    assert_eq!(listed.missing_on, ["dev@local/app-1", "dev@local/redis-1"]);
    // The next run tells a machine.
    team.machine("dev@local", "app-1").await;
    let listed = find(&team.ring("ana").list().await.unwrap()).unwrap();
    assert_eq!(listed.missing_on, ["dev@local/redis-1"]);
    team.machine("dev@local", "redis-1").await;
    assert!(find(&team.ring("ana").list().await.unwrap()).is_none());

    // Every entry is signed by who was an actor then.
    let mut history = History::default();
    history.read(&team.store(), "dev@local").await.unwrap();
    let runs: Vec<_> = history.runs.iter().map(|r| (r.actor.as_deref(), r.signature)).collect();
    assert_eq!(runs, [(Some("ana"), Signature::Good); 2]);
    // Added again with the age key alone, the SSH key that went with it counts again.
    team.ring("ana").add(&bo).await.unwrap();
    assert_eq!(team.actors("dev@local", "bo").await.standing(&bo_ssh), Standing::Active);
}

#[tokio::test]
async fn a_runner_reads_no_secrets_and_is_removed_alone() {
    let team = Team::new();
    team.person("ana");
    team.secrets("dev@local", "ana", "one").await;
    let pair = andamio_remote::KeyPair::generate().unwrap();
    let new = Newcomer::of(&format!("{} builds", pair.public), None, Purpose::Runner);
    team.ring("ana").add(new).await.unwrap();
    assert_eq!(team.file(), FILE, "it is no member");
    let key = team.ring("ana").find("builds").await.unwrap();
    assert_eq!((key.purpose, key.instances.len(), key.team), (Purpose::Runner, 0, false));
    let own = team.actors("dev@local", "ana").await.operator;
    let removal = team.ring("ana").removal("builds").await.unwrap();
    assert!(removal.seen.is_empty());
    team.ring("ana").remove(&removal.key).await.unwrap();
    let list = team.actors("dev@local", "ana").await;
    assert_eq!(list.standing(&pair.public), Standing::Removed);
    assert_eq!(list.operator, own, "who never had the instance's key leaves it as it is");
    // Without an environment there is nothing that could let it in.
    let empty = Team::new();
    let new = Newcomer::of(&pair.public, None, Purpose::Runner);
    assert_eq!(empty.ring("ana").add(new).await.unwrap_err().kind, Kind::Usage);
}

#[tokio::test]
async fn who_takes_their_own_key_away_signs_that() {
    let team = Team::new();
    let (ana, bo) = (team.person("ana"), team.person("bo"));
    team.secrets("dev@local", "ana", "one").await;
    team.ring("ana").add(&bo).await.unwrap();
    let removal = team.ring("ana").removal(&ana.key).await.unwrap();
    team.ring("ana").remove(&removal.key).await.unwrap();
    let mut history = History::default();
    history.read(&team.store(), "dev@local").await.unwrap();
    assert!(history.failure().is_none(), "{:?}", history.faults);
    assert_eq!(history.runs[1].signature, Signature::Good);
    assert_eq!(team.reads("bo", "dev@local").await.as_deref(), Some("one"));
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
    let (instance, seen) = &removal.seen[0];
    assert!(instance == "dev@local" && seen.contains(&"KEY".to_owned()), "{seen:?}");
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
