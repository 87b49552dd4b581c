use super::*;
use andamio_engine::now;
use sha2::{Digest, Sha256};

fn desired(parent: u64) -> Desired {
    let file = include_str!("../../../../andamio.toml").to_owned();
    let name = ReleaseName { id: "ab12".to_owned(), image: "localhost/ficharfirm:ab12".to_owned() };
    Desired {
        v: 1,
        number: 0,
        parent,
        enabled: true,
        sha256: hex::encode(Sha256::digest(&file)),
        file,
        releases: BTreeMap::from([("web".to_owned(), name)]),
        exposed: None,
        counts: BTreeMap::from([(Group::App, 3)]),
        limit: Vec::new(),
        by: "ana@here".to_owned(),
        written: now(),
        why: "up prod@local".to_owned(),
    }
}

fn limited(to: &[&str]) -> Desired {
    let limit = to.iter().map(|&name| name.to_owned()).collect();
    Desired { limit, ..desired(1) }
}

#[test]
fn what_is_wanted_already_is_not_recorded_again() {
    assert!(desired(0).instead_of(None).is_some());
    let later = Desired { by: "eva@there".to_owned(), written: now(), ..desired(1) };
    assert_eq!(later.instead_of(Some(&desired(0))), None);
    let counts = BTreeMap::from([(Group::App, 4)]);
    assert!(Desired { counts, ..desired(1) }.instead_of(Some(&desired(0))).is_some());
    assert!(Desired { enabled: false, ..desired(1) }.instead_of(Some(&desired(0))).is_some());
}

#[test]
fn who_stays_with_some_machines_takes_nothing_back() {
    assert_eq!(limited(&["app-1"]).instead_of(Some(&desired(0))), None, "all had it");
    let both = limited(&["app-2"]).instead_of(Some(&limited(&["app-1"]))).unwrap();
    assert_eq!(both.limit, ["app-1", "app-2"]);
    assert_eq!(limited(&["app-1"]).instead_of(Some(&both)), None);
    assert!(desired(1).instead_of(Some(&both)).unwrap().limit.is_empty(), "now all have it");
    let file = Desired { sha256: "other".to_owned(), ..limited(&["app-1"]) };
    assert_eq!(file.instead_of(Some(&desired(0))).unwrap().limit, ["app-1"]);
}

#[tokio::test]
async fn of_two_who_record_at_once_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::directory(folder.path()).unwrap().instance("prod@local");
    assert_eq!(Desired::newest(&store).await.unwrap(), None);
    let missing = Desired::recorded(&store, "prod@local").await.unwrap_err();
    assert_eq!(missing.error.code, "not-recorded");
    let first = desired(0);
    assert_eq!(first.record(&store).await.unwrap(), 1);
    let late = desired(0).record(&store).await.unwrap_err();
    assert_eq!((late.kind, &*late.error.code), (Kind::Refused, "stale-plan"));
    let read = Desired::newest(&store).await.unwrap().unwrap();
    assert_eq!(read, Desired { number: 1, ..first });
    assert_eq!(read.spec().unwrap().project.name, "ficharfirm");
    assert_eq!(read.release().unwrap().image, "localhost/ficharfirm:ab12");
}

#[test]
fn a_file_that_is_not_taken_any_more_says_why() {
    let old = Desired { number: 7, file: "[project]\nname = 3\n".to_owned(), ..desired(6) };
    let why = old.spec().unwrap_err();
    assert_eq!(why.error.code, "recorded-file");
    assert!(why.error.message.contains("desired 7:1"), "{}", why.error.message);
}
