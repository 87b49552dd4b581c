use super::*;
use std::fs;
use std::path::PathBuf;

fn record(run: &str) -> RunRecord {
    RunRecord { run: run.to_owned(), ..RunRecord::begin("up", "dev", "local", "ana@here") }
}

/// Whose signature is their name before the hash.
struct Name(&'static str);

impl Signer for Name {
    fn actor(&self) -> String {
        self.0.to_owned()
    }

    fn sign(&self, sha256: &str) -> String {
        format!("{} {sha256}", self.0)
    }
}

/// Everybody but Eva may sign.
fn judge(_: u64, record: &RunRecord) -> bool {
    record.actor != "eva" && record.signature == format!("{} {}", record.actor, record.sha256)
}

struct Kept {
    folder: tempfile::TempDir,
    ledger: Ledger,
}

impl Kept {
    /// A ledger of three entries, which nobody signed.
    async fn new() -> Self {
        Self::by(None).await
    }

    async fn by(who: Option<&'static str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::new(Store::directory(folder.path()).unwrap());
        if let Some(who) = who {
            ledger = ledger.signed(Arc::new(Name(who)));
        }
        for run in ["one", "two", "three"] {
            ledger.append(record(run)).await.unwrap();
        }
        let kept = Self { folder, ledger };
        assert_eq!(kept.whole().await, 3);
        kept
    }

    fn path(&self, series: &str, number: u64) -> PathBuf {
        self.folder.path().join(format!("{series}/{number:010}.json"))
    }

    /// Entries of a ledger with which nothing is wrong.
    async fn whole(&self) -> usize {
        let reading = self.ledger.read(&judge).await.unwrap();
        assert_eq!(reading.faults, []);
        reading.entries.len()
    }

    /// What is wrong, and which entries are there nevertheless.
    async fn wrong(&self) -> (Vec<(u64, u64, Wrong)>, Vec<u64>) {
        let reading = self.ledger.read(&judge).await.unwrap();
        let faults = reading.faults.into_iter().map(|f| (f.first, f.last, f.wrong)).collect();
        (faults, reading.entries.into_iter().map(|entry| entry.number).collect())
    }

    /// Changes an entry as somebody with an editor would, who knows how hashes are made.
    fn rewrite(&self, number: u64, change: impl Fn(&mut RunRecord)) {
        let path = self.path(SERIES, number);
        let mut entry: RunRecord = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut entry);
        entry.sha256 = entry.hash();
        fs::write(path, serde_json::to_vec(&entry).unwrap()).unwrap();
    }
}

#[tokio::test]
async fn a_forged_entry_is_named_and_hides_no_other() {
    let kept = Kept::by(Some("ana")).await;
    // Behind the last one, with a chain and a head that fit: unsigned, signed by a stranger, and in another's name.
    for (actor, signature, wrong) in
        [("", "", Wrong::Unsigned), ("eva", "eva", Wrong::Forged), ("ana", "", Wrong::Forged)]
    {
        fs::copy(kept.path(SERIES, 3), kept.path(SERIES, 4)).unwrap();
        let three = fs::read_to_string(kept.path(SERIES, 3)).unwrap();
        let three: RunRecord = serde_json::from_str(&three).unwrap();
        kept.rewrite(4, |entry| {
            entry.prev_sha256.clone_from(&three.sha256);
            (entry.actor, entry.run) = (actor.to_owned(), "four".to_owned());
            entry.signature.clear();
        });
        if !signature.is_empty() {
            kept.rewrite(4, |entry| entry.signature = format!("{signature} {}", entry.hash()));
        }
        assert_eq!(kept.wrong().await, (vec![(4, 4, wrong)], vec![1, 2, 3, 4]));
    }
}

#[tokio::test]
async fn a_changed_entry_is_named_and_hides_no_other() {
    let kept = Kept::by(Some("ana")).await;
    let path = kept.path(SERIES, 2);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("ana@here", "bo@there")).unwrap();
    assert_eq!(kept.wrong().await, (vec![(2, 2, Wrong::Changed)], vec![1, 2, 3]));
    // With a hash that fits it is nobody's, and the next one does not follow it.
    kept.rewrite(2, |_| {});
    let faults = vec![(2, 2, Wrong::Forged), (3, 3, Wrong::Misplaced)];
    assert_eq!(kept.wrong().await, (faults, vec![1, 2, 3]));
    fs::write(&path, "{}").unwrap();
    assert_eq!(kept.wrong().await, (vec![(2, 2, Wrong::Garbled)], vec![1, 3]));
}

#[tokio::test]
async fn a_removed_entry_is_named_and_hides_no_other() {
    let kept = Kept::by(Some("ana")).await;
    let two = fs::read(kept.path(SERIES, 2)).unwrap();
    fs::remove_file(kept.path(SERIES, 2)).unwrap();
    assert_eq!(kept.wrong().await, (vec![(2, 2, Wrong::Missing)], vec![1, 3]));
    fs::remove_file(kept.path(SERIES, 1)).unwrap();
    assert_eq!(kept.wrong().await, (vec![(1, 2, Wrong::Missing)], vec![3]));
    // What comes after it does not take its place.
    fs::rename(kept.path(SERIES, 3), kept.path(SERIES, 1)).unwrap();
    fs::write(kept.path(SERIES, 2), two).unwrap();
    let faults = vec![(1, 1, Wrong::Misplaced), (2, 2, Wrong::Misplaced), (3, 3, Wrong::Missing)];
    assert_eq!(kept.wrong().await, (faults, vec![1, 2]));
}

#[tokio::test]
async fn missing_newest_entries_are_noticed_and_nothing_is_appended_over_them() {
    let kept = Kept::new().await;
    let body = fs::read(kept.path(SERIES, 3)).unwrap();
    fs::remove_file(kept.path(SERIES, 3)).unwrap();
    assert_eq!(kept.wrong().await, (vec![(3, 3, Wrong::Missing)], vec![1, 2]));
    fs::remove_file(kept.path(SERIES, 2)).unwrap();
    assert_eq!(kept.wrong().await, (vec![(2, 3, Wrong::Missing)], vec![1]));
    let appended = kept.ledger.append(record("four")).await;
    assert!(matches!(appended, Err(LedgerError::Short { last: 1, known: 3 })), "{appended:?}");
    // Another's newest entries are no substitute.
    fs::write(kept.path(SERIES, 2), body).unwrap();
    let faults = vec![(2, 2, Wrong::Misplaced), (3, 3, Wrong::Missing)];
    assert_eq!(kept.wrong().await, (faults, vec![1, 2]));
    fs::remove_dir_all(kept.folder.path().join(SERIES)).unwrap();
    assert_eq!(kept.wrong().await, (vec![(1, 3, Wrong::Missing)], vec![]));
}

/// A rewritten end has a chain of its own that is whole.
#[tokio::test]
async fn a_rewritten_end_is_noticed() {
    let kept = Kept::new().await;
    kept.rewrite(3, |entry| entry.by = "eva@here".to_owned());
    assert_eq!(kept.wrong().await.0, [(3, 3, Wrong::Misplaced)]);
    fs::write(kept.path(HEADS, 3), "").unwrap();
    assert_eq!(kept.wrong().await.0, [(3, 3, Wrong::Head)]);
}

#[tokio::test]
async fn signatures_begin_somewhere_and_a_run_has_the_worst_of_its_two() {
    let kept = Kept::new().await;
    let ana = Ledger::new(kept.ledger.store.clone()).signed(Arc::new(Name("ana")));
    ana.append(record("three")).await.unwrap();
    ana.append(record("four")).await.unwrap();
    let runs = kept.ledger.read(&judge).await.unwrap();
    assert_eq!(runs.faults, []);
    let runs: Vec<_> = runs.runs().into_iter().map(|r| (r.record.run, r.signature)).collect();
    let three = ("three".to_owned(), Signature::None);
    assert_eq!((runs.len(), &runs[2], runs[3].1), (4, &three, Signature::Good));
    // Signed once, an entry is not made unsigned by leaving the signature out.
    kept.rewrite(5, |entry| entry.signature.clear());
    assert_eq!(kept.wrong().await.0, [(5, 5, Wrong::Forged)]);
}

/// As versions before wrote them.
#[tokio::test]
async fn an_entry_from_before_signatures_keeps_its_hash() {
    let folder = tempfile::tempdir().unwrap();
    let old = r#"{"v":1,"run":"20260101T000000Z-aaaaaa","verb":"up","env":"dev","place":"local","by":"ana@here","started":"2026-01-01T00:00:00Z","ended":null,"status":"started","plan":"","changed":0,"message":"","prev_sha256":"0000000000000000000000000000000000000000000000000000000000000000","sha256":""}"#;
    let sha256 = hex::encode(Sha256::digest(old));
    fs::create_dir(folder.path().join(SERIES)).unwrap();
    let entry = old.replace(r#""sha256":"""#, &format!(r#""sha256":"{sha256}""#));
    fs::write(folder.path().join("ledger/0000000001.json"), entry).unwrap();
    let ledger = Ledger::new(Store::directory(folder.path()).unwrap());
    assert_eq!(ledger.read(&judge).await.unwrap().faults, []);
}

#[tokio::test]
async fn a_kill_between_entry_and_head_is_no_alarm() {
    let kept = Kept::new().await;
    let head = fs::read(kept.path(HEADS, 2)).unwrap();
    fs::remove_file(kept.path(HEADS, 3)).unwrap();
    assert_eq!(kept.whole().await, 3);
    // And once more, at the next entry.
    kept.ledger.append(record("four")).await.unwrap();
    fs::remove_file(kept.path(HEADS, 4)).unwrap();
    assert!(kept.path(HEADS, 3).exists(), "an entry without a head has a successor");
    assert_eq!(kept.whole().await, 4);
    // Also where only older heads are left.
    fs::remove_file(kept.path(HEADS, 3)).unwrap();
    fs::write(kept.path(HEADS, 2), head).unwrap();
    kept.ledger.append(record("five")).await.unwrap();
    fs::remove_file(kept.path(SERIES, 5)).unwrap();
    assert_eq!(kept.wrong().await.0, [(5, 5, Wrong::Missing)]);
}

#[tokio::test]
async fn a_ledger_of_an_earlier_version_gets_its_heads() {
    let kept = Kept::new().await;
    fs::remove_dir_all(kept.folder.path().join(HEADS)).unwrap();
    assert_eq!(kept.whole().await, 3);
    kept.ledger.append(record("four")).await.unwrap();
    fs::remove_file(kept.path(SERIES, 4)).unwrap();
    assert_eq!(kept.wrong().await.0, [(4, 4, Wrong::Missing)]);
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
                    assert_eq!(ledger.read(&judge).await.unwrap().faults, []);
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let ledger = Ledger::new(store.clone());
    assert_eq!(ledger.read(&judge).await.unwrap().entries.len(), 40);
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
    let runs = ledger.read(&judge).await.unwrap().runs();
    assert_eq!(runs[1].record.accepted, [accepted]);
    // An entry without any reads, and hashes, as it did before there was such a thing.
    let text = serde_json::to_string(&runs[0].record).unwrap();
    assert!(!text.contains("accepted"), "{text}");
}
