//! Privileges as `SHOW GRANTS` prints them and as a manifest declares them, in one form.

use crate::failure::{Failure, Result};
use andamio_manifest::MariadbGrant;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const ALL: &str = "ALL PRIVILEGES";

/// Object (`` `db`.* ``, as it is written in a statement) → privileges. A granted role is an object of
/// its own, with no privileges.
pub(super) type Grants = BTreeMap<String, BTreeSet<String>>;

/// # Errors
/// When a privilege or an object is not one: both stand in a statement as they are.
pub(super) fn declared(grants: &[MariadbGrant]) -> Result<Grants> {
    let mut found = Grants::new();
    for grant in grants {
        if !sound(grant) {
            let MariadbGrant { privileges, on } = grant;
            return Err(Failure::new(format!("{privileges} on {on} cannot be granted")));
        }
        let privileges = split(&grant.privileges, ",");
        let privileges = privileges.iter().map(|p| canonical(p));
        found.entry(object(&grant.on)).or_default().extend(privileges);
    }
    found.retain(|_, privileges| {
        privileges.remove("USAGE");
        !privileges.is_empty()
    });
    Ok(found)
}

/// Words, columns in brackets and quoted names, nothing that could end a statement.
fn sound(grant: &MariadbGrant) -> bool {
    let word = |c: char| c.is_alphanumeric() || " ,()_`".contains(c);
    let even = |text: &str| text.matches('`').count().is_multiple_of(2);
    let name = |part: &&str| match part.strip_prefix('`') {
        Some(rest) => rest.strip_suffix('`').is_some_and(|n| !n.replace("``", "").contains('`')),
        None => part.chars().all(|c| c.is_alphanumeric() || "_*%\\$-".contains(c)),
    };
    let on = grant.on.trim();
    let routine = on.strip_prefix("PROCEDURE ").or_else(|| on.strip_prefix("FUNCTION "));
    let on = split(routine.unwrap_or(on), ".");
    grant.privileges.chars().all(word) && even(&grant.privileges) && on.iter().all(name)
}

/// Reads lines such as ``GRANT SELECT, INSERT ON `db`.* TO `u`@`h` WITH GRANT OPTION``.
pub(super) fn live<'a>(lines: impl Iterator<Item = &'a str>) -> Grants {
    let mut found = Grants::new();
    for line in lines {
        let Some(rest) = line.strip_prefix("GRANT ") else { continue };
        let parts = split(rest, " TO ");
        let (Some(what), Some(to)) = (parts.first(), parts.get(1)) else { continue };
        let on = split(what, " ON ");
        let [privileges, on] = on.as_slice() else {
            // Without an object it is a role.
            found.insert(what.trim().to_owned(), BTreeSet::new());
            continue;
        };
        let mut set: BTreeSet<String> =
            split(privileges, ",").iter().map(|p| canonical(p)).collect();
        if split(to, " WITH ").iter().skip(1).any(|with| with.contains("GRANT OPTION")) {
            set.insert("GRANT OPTION".to_owned());
        }
        set.remove("USAGE");
        if !set.is_empty() {
            found.entry(object(on)).or_default().extend(set);
        }
    }
    found
}

/// Statements that make the privileges of `account` exactly the declared ones: too wide ones first.
pub(super) fn statements(account: &str, live: &Grants, declared: &Grants) -> Vec<String> {
    let mut statements = Vec::new();
    let none = BTreeSet::new();
    for (on, has) in live {
        if has.is_empty() {
            statements.push(format!("REVOKE {on} FROM {account}"));
            continue;
        }
        let may = declared.get(on).unwrap_or(&none);
        let extra: Vec<&str> = has.difference(may).map(String::as_str).collect();
        // Parts of ALL are not extra to it, the right to pass it on is. ALL and that right cannot
        // be named in one statement.
        let (option, plain): (Vec<&str>, Vec<&str>) =
            extra.into_iter().partition(|privilege| *privilege == "GRANT OPTION");
        let plain = if may.contains(ALL) { String::new() } else { plain.join(", ") };
        for privileges in [plain, option.concat()].iter().filter(|list| !list.is_empty()) {
            statements.push(format!("REVOKE {privileges} ON {on} FROM {account}"));
        }
    }
    for (on, may) in declared {
        let has = live.get(on).unwrap_or(&none);
        // Revoking ALL takes the declared part of it too.
        let lost = has.contains(ALL) && !may.contains(ALL);
        let missing: Vec<&str> =
            may.iter().filter(|p| lost || !has.contains(*p)).map(String::as_str).collect();
        if !missing.is_empty() {
            statements.push(format!("GRANT {} ON {on} TO {account}", missing.join(", ")));
        }
    }
    statements
}

/// `*.*` and the like with every name quoted.
fn object(on: &str) -> String {
    let mut words = split(on.trim(), " ");
    let name = words.pop().unwrap_or_default();
    let quoted: Vec<String> = split(name, ".")
        .iter()
        .map(|part| match *part {
            "*" => "*".to_owned(),
            part if part.starts_with('`') || part.contains(['\'', '@']) => part.to_owned(),
            part => format!("`{}`", part.replace('`', "``")),
        })
        .collect();
    words.push("");
    format!("{}{}", words.join(" ").to_uppercase(), quoted.join("."))
}

/// The name that `SHOW GRANTS` uses. Columns (`SELECT (a, b)`) keep their case.
fn canonical(privilege: &str) -> String {
    let privilege = privilege.trim();
    let (name, columns) = match privilege.find('(') {
        Some(at) => privilege.split_at(at),
        None => (privilege, ""),
    };
    let words: Vec<String> = name.split_whitespace().map(str::to_uppercase).collect();
    let name = match words.join(" ").as_str() {
        "ALL" => ALL.to_owned(),
        "REPLICATION CLIENT" => "BINLOG MONITOR".to_owned(),
        "REPLICATION REPLICA" => "REPLICATION SLAVE".to_owned(),
        "REPLICA MONITOR" => "SLAVE MONITOR".to_owned(),
        other => other.to_owned(),
    };
    if columns.is_empty() { name } else { format!("{name} {columns}") }
}

/// Splits where the separator stands outside of quotes and brackets.
fn split<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let (mut quote, mut depth, mut begin, mut skip) = (None, 0_u32, 0, 0);
    for (at, char) in text.char_indices() {
        if at < skip {
            continue;
        }
        match (quote, char) {
            (Some(open), _) if open == char => quote = None,
            (Some(_), _) => {}
            (None, '`' | '\'' | '"') => quote = Some(char),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, _) if depth == 0 && text[at..].starts_with(separator) => {
                parts.push(&text[begin..at]);
                begin = at + separator.len();
                skip = begin;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(privileges: &str, on: &str) -> MariadbGrant {
        MariadbGrant { privileges: privileges.into(), on: on.into() }
    }

    fn lines(text: &str) -> Grants {
        live(text.lines())
    }

    #[test]
    fn same_in_other_words_is_no_difference() {
        let declared = declared(&[
            grant("all", "ficharfirm.*"),
            grant("replication client, Process, usage", "*.*"),
            grant("SELECT (`b`), INSERT", "`a TO b`.`c`"),
        ])
        .unwrap();
        let live = lines(
            "GRANT PROCESS, BINLOG MONITOR ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '* TO x'\n\
             GRANT ALL PRIVILEGES ON `ficharfirm`.* TO `u`@`%`\n\
             GRANT INSERT, SELECT (`b`) ON `a TO b`.`c` TO `u`@`%`",
        );
        assert_eq!(live, declared);
        assert!(statements("`u`@`%`", &live, &declared).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_read(line in "(GRANT )?[A-Z(),`'. *]{0,20}( ON )?.{0,12}( TO )?.{0,12}( WITH GRANT OPTION)?") {
            let live = lines(&line);
            // What was read is undone and made again without a difference to itself.
            proptest::prop_assert!(live.values().any(BTreeSet::is_empty)
                || statements("u", &live, &live).is_empty());
        }
    }

    #[test]
    fn routines_are_objects() {
        let declared = declared(&[grant("EXECUTE", "PROCEDURE db.`p`")]).unwrap();
        assert_eq!(declared, lines("GRANT EXECUTE ON PROCEDURE `db`.`p` TO `u`@`%`"));
    }

    #[test]
    fn what_would_end_a_statement_is_refused() {
        for (privileges, on) in [
            ("SELECT ON *.* TO x; DROP", "*.*"),
            ("SELECT", "*.* TO x'"),
            ("SELECT", "`a`; DROP DATABASE `b`.*"),
            ("SELECT", "`a` TO `b`.*"),
            ("SELECT `", "a.*"),
            ("SELECT", "a TO b.*"),
        ] {
            assert!(declared(&[grant(privileges, on)]).is_err(), "{privileges} on {on}");
        }
    }

    #[test]
    fn wider_is_revoked() {
        let declared =
            declared(&[grant("SELECT", "`db`.*"), grant("ALL PRIVILEGES", "`mine`.*")]).unwrap();
        let live = lines(
            "GRANT USAGE ON *.* TO `u`@`%`\n\
             GRANT SUPER ON *.* TO `u`@`%`\n\
             GRANT `admin` TO `u`@`%`\n\
             GRANT EXECUTE ON PROCEDURE `db`.`p` TO `u`@`%`\n\
             GRANT ALL PRIVILEGES ON `db`.* TO `u`@`%` WITH GRANT OPTION\n\
             GRANT ALL PRIVILEGES ON `mine`.* TO `u`@`%` WITH GRANT OPTION",
        );
        insta::assert_snapshot!(statements("`u`@`%`", &live, &declared).join("\n"), @r"
        REVOKE SUPER ON *.* FROM `u`@`%`
        REVOKE EXECUTE ON PROCEDURE `db`.`p` FROM `u`@`%`
        REVOKE `admin` FROM `u`@`%`
        REVOKE ALL PRIVILEGES ON `db`.* FROM `u`@`%`
        REVOKE GRANT OPTION ON `db`.* FROM `u`@`%`
        REVOKE GRANT OPTION ON `mine`.* FROM `u`@`%`
        GRANT SELECT ON `db`.* TO `u`@`%`
        ");
    }
}
