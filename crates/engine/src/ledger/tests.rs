use super::*;
use std::fs;
use std::path::PathBuf;

fn record(run: &str) -> RunRecord {
    RunRecord {
        v: 1,
        run: run.to_owned(),
        verb: "up".to_owned(),
        env: "dev".to_owned(),
        place: "local".to_owned(),
        by: "ana@here".to_owned(),
        started: crate::now(),
        ended: None,
        status: RunStatus::Started,
        plan: String::new(),
        changed: 0,
        message: String::new(),
        accepted: Vec::new(),
        prev_sha256: String::new(),
        sha256: String::new(),
    }
}

struct Kept {
    folder: tempfile::TempDir,
    ledger: Ledger,
}

impl Kept {
    /// A ledger of three entries.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(Store::directory(folder.path()).unwrap());
        for run in ["one", "two", "three"] {
            ledger.append(record(run)).await.unwrap();
        }
        assert_eq!(ledger.entries().await.unwrap().len(), 3);
        Self { folder, ledger }
    }

    fn path(&self, series: &str, number: u64) -> PathBuf {
        self.folder.path().join(format!("{series}/{number:010}.json"))
    }

    async fn problem(&self) -> LedgerError {
        self.ledger.entries().await.expect_err("nothing was noticed")
    }
}

#[tokio::test]
async fn missing_newest_entries_are_noticed_and_nothing_is_appended_over_them() {
    let kept = Kept::new().await;
    let body = fs::read(kept.path(SERIES, 3)).unwrap();
    fs::remove_file(kept.path(SERIES, 3)).unwrap();
    assert!(matches!(kept.problem().await, LedgerError::Short { last: 2, known: 3 }));
    fs::remove_file(kept.path(SERIES, 2)).unwrap();
    assert!(matches!(kept.problem().await, LedgerError::Short { last: 1, known: 3 }));
    let appended = kept.ledger.append(record("four")).await;
    assert!(matches!(appended, Err(LedgerError::Short { last: 1, known: 3 })), "{appended:?}");
    // Another's newest entries are no substitute.
    fs::write(kept.path(SERIES, 2), body).unwrap();
    assert!(matches!(kept.problem().await, LedgerError::Broken(2)));
    fs::remove_dir_all(kept.folder.path().join(SERIES)).unwrap();
    assert!(matches!(kept.problem().await, LedgerError::Short { last: 0, known: 3 }));
}

#[tokio::test]
async fn a_changed_or_missing_entry_is_noticed() {
    let kept = Kept::new().await;
    let text = fs::read_to_string(kept.path(SERIES, 2)).unwrap();
    fs::write(kept.path(SERIES, 2), text.replace("ana@here", "eva@here")).unwrap();
    assert!(matches!(kept.problem().await, LedgerError::Broken(2)));
    fs::remove_file(kept.path(SERIES, 2)).unwrap();
    assert!(matches!(kept.problem().await, LedgerError::Broken(3)));
}

/// A rewritten end has a chain of its own that is whole.
#[tokio::test]
async fn a_rewritten_end_is_noticed() {
    let kept = Kept::new().await;
    let mut other = kept.ledger.entries().await.unwrap().remove(2);
    other.by = "eva@here".to_owned();
    other.seal(&other.prev_sha256.clone());
    fs::write(kept.path(SERIES, 3), serde_json::to_vec(&other).unwrap()).unwrap();
    assert!(matches!(kept.problem().await, LedgerError::Short { last: 3, known: 3 }));
}

#[tokio::test]
async fn a_kill_between_entry_and_head_is_no_alarm() {
    let kept = Kept::new().await;
    let head = fs::read(kept.path(HEADS, 2)).unwrap();
    fs::remove_file(kept.path(HEADS, 3)).unwrap();
    assert_eq!(kept.ledger.entries().await.unwrap().len(), 3);
    // And once more, at the next entry.
    kept.ledger.append(record("four")).await.unwrap();
    fs::remove_file(kept.path(HEADS, 4)).unwrap();
    assert!(kept.path(HEADS, 3).exists(), "an entry without a head has a successor");
    assert_eq!(kept.ledger.entries().await.unwrap().len(), 4);
    // Also where only older heads are left.
    fs::remove_file(kept.path(HEADS, 3)).unwrap();
    fs::write(kept.path(HEADS, 2), head).unwrap();
    kept.ledger.append(record("five")).await.unwrap();
    fs::remove_file(kept.path(SERIES, 5)).unwrap();
    assert!(matches!(kept.problem().await, LedgerError::Short { last: 4, known: 5 }));
}

#[tokio::test]
async fn a_ledger_of_an_earlier_version_gets_its_heads() {
    let kept = Kept::new().await;
    fs::remove_dir_all(kept.folder.path().join(HEADS)).unwrap();
    assert_eq!(kept.ledger.entries().await.unwrap().len(), 3);
    kept.ledger.append(record("four")).await.unwrap();
    fs::remove_file(kept.path(SERIES, 4)).unwrap();
    assert!(matches!(kept.problem().await, LedgerError::Short { last: 3, known: 4 }));
}

/// Appending at once leaves a whole chain, and every reader meanwhile sees one.
#[tokio::test(flavor = "multi_thread")]
async fn writers_at_once_leave_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::directory(folder.path()).unwrap();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let ledger = Ledger::new(store.clone());
            tokio::spawn(async move {
                for entry in 0..10 {
                    ledger.append(record(&format!("{writer}-{entry}"))).await.unwrap();
                    ledger.entries().await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let ledger = Ledger::new(store.clone());
    assert_eq!(ledger.entries().await.unwrap().len(), 40);
    assert_eq!(store.numbers(HEADS).await.unwrap().last(), Some(&40));
}

#[tokio::test]
async fn what_was_overridden_stays_in_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::new(Store::directory(folder.path()).unwrap().instance("prod@local"));
    let accepted = Accepted {
        code: "budget".to_owned(),
        message: "5.01 over".to_owned(),
        reason: "agreed with Marta".to_owned(),
    };
    ledger.append(record("1")).await.unwrap();
    ledger.append(RunRecord { accepted: vec![accepted.clone()], ..record("2") }).await.unwrap();
    let runs = ledger.runs().await.unwrap();
    assert_eq!(runs[1].accepted, [accepted]);
    // An entry without any reads, and hashes, as it did before there was such a thing.
    let text = serde_json::to_string(&runs[0]).unwrap();
    assert!(!text.contains("accepted"), "{text}");
}
