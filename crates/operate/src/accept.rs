//! Refusals that a person overrides, by name and with a reason that the ledger keeps.

use crate::plan::Refused;
use crate::{Failure, Kind};
use andamio_engine::Accepted;
use andamio_spec::Refusal;
use std::collections::BTreeMap;

/// What may be overridden: money is a matter of who pays. A limit is changed in andamio.toml.
const ACCEPTABLE: [&str; 1] = ["budget"];

/// Reads `CODE=REASON` of `--accept`.
///
/// # Errors
/// When it is another refusal than may be overridden, or there is no reason.
pub fn parse(words: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let mut accept = BTreeMap::new();
    for word in words {
        let (code, reason) = word.split_once('=').unwrap_or((word, ""));
        let (code, reason) = (code.trim(), reason.trim());
        let message = if !ACCEPTABLE.contains(&code) {
            format!("`{code}` cannot be accepted, only: {}", ACCEPTABLE.join(", "))
        } else if reason.is_empty() {
            format!("`{code}` is accepted without a reason")
        } else {
            accept.insert(code.to_owned(), reason.to_owned());
            continue;
        };
        let help = "write --accept budget=\"why, and who agreed\"";
        return Err(Failure::new(Kind::Usage, "accept", message, help));
    }
    Ok(accept)
}

/// What still refuses, and what was overridden.
pub(crate) fn split(
    refusals: Vec<Refused>,
    accept: &BTreeMap<String, String>,
) -> (Vec<Refused>, Vec<Accepted>) {
    let (mut refused, mut accepted) = (Vec::new(), Vec::new());
    for refusal in refusals {
        match accept.get(&refusal.code) {
            Some(reason) => accepted.push(Accepted {
                code: refusal.code,
                message: refusal.message,
                reason: reason.clone(),
            }),
            None => refused.push(refusal),
        }
    }
    (refused, accepted)
}

/// One line of the plan for each.
pub(crate) fn notes(accepted: &[Accepted]) -> impl Iterator<Item = String> {
    accepted.iter().map(|a| format!("{}; accepted: {}", a.message, a.reason))
}

pub(crate) fn refused(refusal: Refusal) -> Refused {
    let Refusal { code, rule, message, help } = refusal;
    Refused { code: code.to_owned(), rule, message, help }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Result<BTreeMap<String, String>, Failure> {
        parse(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn only_money_and_only_with_a_reason() {
        assert_eq!(words(&["budget=Black Friday"]).unwrap()["budget"], "Black Friday");
        for wrong in ["quota=please", "budget", "budget=", "budget= ", "=reason"] {
            assert_eq!(words(&[wrong]).unwrap_err().error.code, "accept", "{wrong}");
        }
    }

    #[test]
    fn what_is_accepted_does_not_refuse_and_is_kept() {
        let refusal = |code: &str| Refused {
            code: code.to_owned(),
            rule: String::new(),
            message: format!("{code} is over"),
            help: String::new(),
        };
        let accept = words(&["budget=agreed with Marta"]).unwrap();
        let (refused, accepted) = split(vec![refusal("budget"), refusal("quota")], &accept);
        assert_eq!(refused, [refusal("quota")]);
        assert_eq!(accepted[0].reason, "agreed with Marta");
        assert!(notes(&accepted).next().unwrap().contains("agreed with Marta"));
    }
}
