//! Who the load pretends to be.

use std::{
    io::{BufRead as _, IsTerminal as _, Read as _},
    path::Path,
};

use serde::Deserialize;

use super::{COMFORT_OF_ONE, LoadError, MOST_OF_ONE};

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Account {
    pub(super) employee: String,
    pub(super) pin: String,
}

/// From the file, or from stdin where that is not a terminal.
pub(super) fn read(path: Option<&Path>) -> Result<Vec<Account>, LoadError> {
    let text = match path {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|e| LoadError::Read(path.display().to_string(), e))?,
        None if std::io::stdin().is_terminal() => return Err(LoadError::NoAccounts),
        None => {
            let mut text = String::new();
            std::io::stdin()
                .lock()
                .read_to_string(&mut text)
                .map_err(|e| LoadError::Read("stdin".into(), e))?;
            text
        }
    };
    parse(&text)
}

fn parse(text: &str) -> Result<Vec<Account>, LoadError> {
    let mut accounts = Vec::new();
    for (index, line) in text.as_bytes().lines().map_while(Result::ok).enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let account = serde_json::from_str(&line)
            .map_err(|source| LoadError::Account { line: index + 1, source })?;
        accounts.push(account);
    }
    if accounts.is_empty() { Err(LoadError::NoAccounts) } else { Ok(accounts) }
}

/// As many as make each one's share comfortable, no more: every one costs the server a sign-in.
pub(super) fn choose(mut all: Vec<Account>, rate: u32) -> Result<Vec<Account>, LoadError> {
    let need = rate.div_ceil(MOST_OF_ONE) as usize;
    if all.len() < need {
        return Err(LoadError::TooFew { have: all.len(), rate, need });
    }
    all.truncate((rate.div_ceil(COMFORT_OF_ONE) as usize).max(need));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(count: usize) -> Vec<Account> {
        vec![Account { employee: "E1".into(), pin: "1".into() }; count]
    }

    #[test]
    fn accounts_are_enough_and_not_too_many() {
        assert!(matches!(choose(some(6), 100), Err(LoadError::TooFew { need: 7, .. })));
        assert_eq!(choose(some(7), 100).unwrap().len(), 7);
        assert_eq!(choose(some(500), 100).unwrap().len(), 25);
        assert_eq!(choose(some(3), 1).unwrap().len(), 1);
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = parse("{\"employee\":\"E1\",\"pin\":\"1\"}\n\nnonsense\n").unwrap_err();
        assert!(error.to_string().contains("line 3"), "{error}");
        assert!(matches!(parse("\n"), Err(LoadError::NoAccounts)));
    }
}
