//! The chain of one employee's records. A record's hash covers the hash before it, its number, its owner and
//! what is stored of it: nonce and *ciphertext*. So the chain verifies without any key, and still does after
//! the employee's key is gone.

use sha2::{Digest as _, Sha256};

pub(crate) type Hash = [u8; 32];

/// What comes before an employee's first record.
pub(crate) const GENESIS: Hash = [0; 32];

/// The stored parts of a record that its hash covers.
pub(crate) struct Link<'a> {
    pub(crate) previous: &'a [u8],
    pub(crate) seq: u64,
    pub(crate) employee: &'a str,
    /// YYYYMM; in the clear because sheets are selected by it.
    pub(crate) month: u32,
    /// SHA-256 of the id that the client chose.
    pub(crate) id_hash: &'a [u8],
    pub(crate) nonce: &'a [u8],
    pub(crate) ciphertext: &'a [u8],
}

impl Link<'_> {
    pub(crate) fn hash(&self) -> Hash {
        let mut hash = Sha256::new();
        hash.update(b"ficharfirm/record/1\0");
        hash.update(self.seq.to_be_bytes());
        hash.update(self.month.to_be_bytes());
        // Each variable part behind its length: no two records can be spelled alike.
        for part in
            [self.previous, self.employee.as_bytes(), self.id_hash, self.nonce, self.ciphertext]
        {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }

    /// What the ciphertext is bound to: moved to another place, a record can't be opened.
    pub(crate) fn aad(&self) -> Vec<u8> {
        let mut aad = Vec::with_capacity(64);
        aad.extend_from_slice(&self.seq.to_be_bytes());
        aad.extend_from_slice(&self.month.to_be_bytes());
        aad.extend_from_slice(self.id_hash);
        aad.extend_from_slice(self.employee.as_bytes());
        aad
    }
}

pub(crate) fn id_hash(id: &str) -> Hash {
    let mut hash = Sha256::new();
    hash.update(b"ficharfirm/id/1\0");
    hash.update(id.as_bytes());
    hash.finalize().into()
}

/// What a month's signature is over: the employee, the month, and every record of the month by number and
/// hash, so that none can be left out, added or replaced below `through_seq`.
pub(crate) struct MonthDigest {
    hash: Sha256,
    pub(crate) records: u64,
}

impl MonthDigest {
    pub(crate) fn new(employee: &str, month: u32, through_seq: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"ficharfirm/month/1\0");
        hash.update((employee.len() as u64).to_be_bytes());
        hash.update(employee.as_bytes());
        hash.update(month.to_be_bytes());
        hash.update(through_seq.to_be_bytes());
        Self { hash, records: 0 }
    }

    pub(crate) fn add(&mut self, seq: u64, record: &[u8]) {
        self.hash.update(seq.to_be_bytes());
        self.hash.update(record);
        self.records = self.records.saturating_add(1);
    }

    pub(crate) fn finish(self) -> Hash {
        self.hash.finalize().into()
    }
}

/// Walks one employee's records in order and counts the places where the chain does not hold.
pub(crate) struct Walk {
    expected_seq: u64,
    head: Hash,
    pub(crate) breaks: u64,
}

impl Walk {
    pub(crate) fn new() -> Self {
        Self { expected_seq: 1, head: GENESIS, breaks: 0 }
    }

    /// True when the record is where and what it should be. After a break the walk goes on from the stored
    /// hash, so that one altered record counts once.
    pub(crate) fn step(&mut self, link: &Link<'_>, stored_hash: &[u8]) -> bool {
        let good = link.seq == self.expected_seq
            && link.previous == self.head
            && link.hash().as_slice() == stored_hash;
        if !good {
            self.breaks += 1;
        }
        self.expected_seq = link.seq.saturating_add(1);
        self.head = stored_hash.try_into().unwrap_or(GENESIS);
        good
    }

    /// Compares with the head that the employee's row keeps: records cut off the end show here.
    pub(crate) fn finish(mut self, head_seq: u64, head_hash: &[u8]) -> u64 {
        if self.expected_seq.saturating_sub(1) != head_seq || self.head.as_slice() != head_hash {
            self.breaks += 1;
        }
        self.breaks
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Stored {
        seq: u64,
        previous: Hash,
        ciphertext: Vec<u8>,
        hash: Hash,
    }

    fn chain(count: u64) -> Vec<Stored> {
        let mut previous = GENESIS;
        (1..=count)
            .map(|seq| {
                let ciphertext = vec![seq as u8; 40];
                let mut stored = Stored { seq, previous, ciphertext, hash: GENESIS };
                stored.hash = link(&stored).hash();
                previous = stored.hash;
                stored
            })
            .collect()
    }

    fn link(s: &Stored) -> Link<'_> {
        Link {
            previous: &s.previous,
            seq: s.seq,
            employee: "E1",
            month: 202611,
            id_hash: &[7; 32],
            nonce: &[9; 12],
            ciphertext: &s.ciphertext,
        }
    }

    fn breaks(records: &[Stored], head_seq: u64, head: &[u8]) -> u64 {
        let mut walk = Walk::new();
        for record in records {
            walk.step(&link(record), &record.hash);
        }
        walk.finish(head_seq, head)
    }

    #[test]
    fn an_untouched_chain_has_no_break() {
        let records = chain(5);
        assert_eq!(breaks(&records, 5, &records[4].hash), 0);
        assert_eq!(breaks(&[], 0, &GENESIS), 0);
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        let base = link(&chain(1).remove(0)).hash();
        let records = chain(1);
        let mut other = link(&records[0]);
        other.employee = "E";
        assert_ne!(base, other.hash());
    }

    proptest! {
        #[test]
        fn every_change_shows(count in 1u64..30, at in 0u64..30, kind in 0u8..4) {
            let mut records = chain(count);
            let head = records[records.len() - 1].hash;
            let at = (at % count) as usize;
            match kind {
                0 => records[at].ciphertext[3] ^= 1,
                1 => { records.remove(at); }
                2 => records[at].hash[0] ^= 1,
                _ => records[at].seq += 1,
            }
            prop_assert!(breaks(&records, count, &head) >= 1);
        }
    }
}
