//! The schema's history, in order, each step with its way back. MariaDB commits each statement of a definition
//! by itself, so every statement must be safe to repeat after a crash in the middle of a step.

pub(crate) struct Migration {
    pub(crate) version: u32,
    pub(crate) name: &'static str,
    pub(crate) up: &'static [&'static str],
    pub(crate) down: &'static [&'static str],
    /// Tables whose rows the way back destroys; it is refused while they have any.
    pub(crate) keeps: &'static [&'static str],
}

pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "employees and their records",
        up: &[
            "CREATE TABLE IF NOT EXISTS counters (
                name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
                value BIGINT UNSIGNED NOT NULL
            ) ENGINE=InnoDB",
            "INSERT IGNORE INTO counters (name, value) VALUES ('employee', 0)",
            // key_wrapped and pin_sealed become NULL at erasure; the row stays, as the chain's anchor.
            "CREATE TABLE IF NOT EXISTS employees (
                id VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
                key_wrapped VARBINARY(64) NULL,
                pin_nonce BINARY(12) NULL,
                pin_sealed VARBINARY(128) NULL,
                head_seq BIGINT UNSIGNED NOT NULL DEFAULT 0,
                head_hash BINARY(32) NOT NULL,
                created_ms BIGINT NOT NULL,
                erased_ms BIGINT NULL
            ) ENGINE=InnoDB",
            "CREATE TABLE IF NOT EXISTS records (
                employee VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
                seq BIGINT UNSIGNED NOT NULL,
                month INT UNSIGNED NOT NULL,
                id_hash BINARY(32) NOT NULL,
                nonce BINARY(12) NOT NULL,
                ciphertext VARBINARY(1024) NOT NULL,
                previous BINARY(32) NOT NULL,
                hash BINARY(32) NOT NULL,
                PRIMARY KEY (employee, seq),
                UNIQUE KEY by_id (id_hash),
                KEY by_month (employee, month, seq),
                CONSTRAINT record_employee FOREIGN KEY (employee) REFERENCES employees (id)
            ) ENGINE=InnoDB",
        ],
        down: &[
            "DROP TABLE IF EXISTS records",
            "DROP TABLE IF EXISTS employees",
            "DROP TABLE IF EXISTS counters",
        ],
        keeps: &["records", "employees"],
    },
    Migration {
        version: 2,
        name: "signatures and the outbox",
        up: &[
            "CREATE TABLE IF NOT EXISTS signatures (
                employee VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
                month INT UNSIGNED NOT NULL,
                through_seq BIGINT UNSIGNED NOT NULL,
                records BIGINT UNSIGNED NOT NULL,
                digest BINARY(32) NOT NULL,
                signer BINARY(32) NOT NULL,
                signature BINARY(64) NOT NULL,
                signed_ms BIGINT NOT NULL,
                PRIMARY KEY (employee, month, through_seq),
                CONSTRAINT signature_employee FOREIGN KEY (employee) REFERENCES employees (id)
            ) ENGINE=InnoDB",
            "CREATE TABLE IF NOT EXISTS outbox (
                id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
                employee VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
                month INT UNSIGNED NOT NULL,
                through_seq BIGINT UNSIGNED NOT NULL,
                created_ms BIGINT NOT NULL,
                claimed_by CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
                claimed_until_ms BIGINT NOT NULL DEFAULT 0,
                sent_ms BIGINT NULL,
                sends INT UNSIGNED NOT NULL DEFAULT 0,
                done_ms BIGINT NULL,
                error VARCHAR(200) NULL,
                KEY open (done_ms, sent_ms)
            ) ENGINE=InnoDB",
        ],
        down: &["DROP TABLE IF EXISTS outbox", "DROP TABLE IF EXISTS signatures"],
        keeps: &["outbox", "signatures"],
    },
    Migration {
        version: 3,
        name: "heartbeats of workers",
        up: &["CREATE TABLE IF NOT EXISTS workers (
                id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
                app_release VARCHAR(128) NOT NULL,
                started_ms BIGINT NOT NULL,
                beat_ms BIGINT NOT NULL,
                signed BIGINT UNSIGNED NOT NULL DEFAULT 0
            ) ENGINE=InnoDB"],
        down: &["DROP TABLE IF EXISTS workers"],
        keeps: &[],
    },
];

/// The version that this program needs; a newer schema will do, an older one won't.
pub(crate) fn needed() -> u32 {
    MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_ascend_and_each_has_a_way_back() {
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.version as usize, index + 1);
            assert!(!migration.up.is_empty() && !migration.down.is_empty());
            for statement in migration.up.iter().chain(migration.down) {
                let safe = ["IF NOT EXISTS", "IF EXISTS", "IGNORE"];
                assert!(safe.iter().any(|s| statement.contains(s)), "not repeatable: {statement}");
            }
        }
    }
}
