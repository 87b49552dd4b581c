//! Whom `key add` is about: the keys that were given, told apart and judged before anything is locked.

use super::Member;
use crate::actor::Purpose;
use crate::secret::{Recipients, bare};
use crate::{Failure, Kind};

/// Somebody's public keys.
#[derive(Debug, Clone, Default)]
pub struct Newcomer {
    /// Secrets are encrypted to it: an age key, or the SSH key of a member who has no other.
    pub recipient: Option<String>,
    /// Machines let it in, and it signs.
    pub ssh: Option<String>,
    pub name: String,
    pub purpose: Purpose,
}

impl From<&Member> for Newcomer {
    fn from(Member { key, name }: &Member) -> Self {
        Self::of(key, Some(name), Purpose::Team)
    }
}

impl Newcomer {
    /// From words as they are pasted: an age key, a line of an SSH key, or both of one person.
    #[must_use]
    pub fn of(words: &str, name: Option<&str>, purpose: Purpose) -> Self {
        let words: Vec<&str> = words.split_whitespace().collect();
        let Some(at) = words.iter().position(|word| word.starts_with("ssh-")) else {
            let recipient = Some(words.join(" "));
            let name = name.unwrap_or_default().trim().to_owned();
            return Self { recipient, ssh: None, name, purpose };
        };
        // What stands before the line of an SSH key, or behind its comment, is the other key.
        let (before, line) = words.split_at(at);
        let is_other = |word: &&&str| word.starts_with("age1") || word.contains("SECRET");
        let other = before.iter().chain(line.iter().filter(is_other)).copied();
        let other = other.collect::<Vec<_>>().join(" ");
        let ours = |word: &&&str| !is_other(word);
        let line = line.iter().filter(ours).copied().collect::<Vec<_>>().join(" ");
        let comment = line.splitn(3, ' ').nth(2).unwrap_or_default().to_owned();
        let recipient = match (other.is_empty(), purpose) {
            (false, _) => Some(other),
            (true, Purpose::Team) => Some(line.clone()),
            // It signs and logs in, and reads nothing.
            (true, Purpose::Runner) => None,
        };
        let name = name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        Self { recipient, ssh: Some(line), name: name.unwrap_or(comment), purpose }
    }

    /// A member of `team`, where it is one that reads secrets. The comment of an SSH key names its owner by itself.
    pub(super) fn member(&self) -> Option<Member> {
        let key = self.recipient.clone()?;
        let named = self.ssh.as_ref() == Some(&key) && key.ends_with(&format!(" {}", self.name));
        let name = if named { String::new() } else { self.name.clone() };
        Some(Member { key, name })
    }

    /// Says what is wrong with the keys. Never repeats a private one.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let usage =
            |message: &str, help: &str| Err(Failure::new(Kind::Usage, "key", message, help));
        let keys = || self.recipient.iter().chain(&self.ssh);
        let private = |key: &String| {
            key.to_ascii_uppercase().contains("AGE-SECRET-KEY-") || key.contains("PRIVATE KEY")
        };
        if keys().any(private) {
            return usage(
                "this is a private key, which nobody else may see",
                "give the public one (age1…); make a new pair if the private one was shown to others",
            );
        }
        if self.name.chars().any(char::is_control) || self.name.chars().count() > 64 {
            return usage(
                "a name is one line of at most 64 characters",
                "for example --name Marta",
            );
        }
        let strange = |key: &String| {
            let other = key.starts_with("ssh-") && !key.starts_with("ssh-ed25519 ");
            other || Recipients::new(std::slice::from_ref(key)).is_err()
        };
        if keys().any(strange) {
            return usage(
                "this is no public key that secrets can be encrypted to, or machines let in",
                "give an age key (age1…), a line \"ssh-ed25519 AAAA…\", or both of one person, as their `andamio key \
                 show` prints them",
            );
        }
        Ok(())
    }

    /// What it is called where it has no name.
    pub(super) fn called(&self) -> String {
        let key = self.ssh.as_ref().or(self.recipient.as_ref());
        if !self.name.is_empty() {
            return self.name.clone();
        }
        key.map(|key| bare(key).chars().rev().take(8).collect::<String>().chars().rev().collect())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &str, purpose: Purpose) -> (Option<String>, Option<String>, String) {
        let it = Newcomer::of(words, None, purpose);
        (it.recipient, it.ssh, it.name)
    }

    #[test]
    fn keys_are_told_apart_in_any_order() {
        let text = |text: &str| Some(text.to_owned());
        let line = text("ssh-ed25519 AAAA bo@desk");
        let both = (text("age1a"), line.clone(), "bo@desk".to_owned());
        assert_eq!(of("age1a ssh-ed25519 AAAA bo@desk", Purpose::Team), both);
        assert_eq!(of("ssh-ed25519 AAAA bo@desk\nage1a", Purpose::Runner), both);
        assert_eq!(of("age1a", Purpose::Team), (text("age1a"), None, String::new()));
        let own = (line.clone(), line.clone(), "bo@desk".to_owned());
        assert_eq!(of("ssh-ed25519 AAAA bo@desk", Purpose::Team), own);
        assert_eq!(of("ssh-ed25519 AAAA bo@desk", Purpose::Runner), (None, line, own.2));
    }
}
