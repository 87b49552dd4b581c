//! The person's own keys: which there are, and which of them cannot be tried.

use super::SshAccess;
use crate::{Failure, Kind};
use andamio_remote::SshKey;
use std::path::Path;

/// What a person has to log in with.
#[derive(Default)]
pub(crate) struct Person {
    pub(crate) identities: Vec<SshKey>,
    /// Why others are not among them, a line each.
    pub(crate) skipped: Vec<String>,
}

/// The key that is named, and no other; else all of the agent, then the usual files.
///
/// # Errors
/// [`Kind::Host`] when the named one cannot be used.
pub(crate) async fn person(access: &SshAccess) -> Result<Person, Failure> {
    let mut person = Person::default();
    let agent = match &access.agent {
        Some(socket) => SshKey::agent(socket).await.unwrap_or_else(|why| {
            person.skipped.push(format!("the ssh-agent at {}: {why}", socket.display()));
            Vec::new()
        }),
        None => Vec::new(),
    };
    if let Some(file) = &access.named {
        let key = read(access, file).map_err(|why| unusable(file, &why))?;
        let held = agent.into_iter().find(|it| it.is_same_key(&key));
        let usable = !key.is_public_only() && key.is_locked().is_none();
        person.identities = match held {
            Some(held) if !usable => vec![held],
            _ if key.is_public_only() => return Err(unusable(file, ELSEWHERE)),
            _ => vec![key],
        };
        return Ok(person);
    }
    let mut files = Vec::new();
    for file in &access.usual {
        match read(access, file) {
            Ok(key) if agent.iter().any(|it| it.is_same_key(&key)) => {}
            Ok(key) if key.is_public_only() => {
                person.skipped.push(format!("{}: {ELSEWHERE}", key.describe()));
            }
            Ok(key) => files.push(key),
            Err(why) => person.skipped.push(format!("{}: {why}", file.display())),
        }
    }
    person.identities = agent;
    person.identities.extend(files);
    Ok(person)
}

/// Of a public key, or of one in a security key.
const ELSEWHERE: &str = "only an ssh-agent can sign with it, and none holds it (`ssh-add`)";

fn read(access: &SshAccess, file: &Path) -> Result<SshKey, String> {
    let passphrase = access.passphrases.get(file).map(|secret| secret.0.as_str());
    let name = file.display().to_string();
    SshKey::read(file, &name, passphrase).map_err(|e| e.to_string())
}

fn unusable(file: &Path, why: &str) -> Failure {
    let message = format!("cannot use the SSH key {}: {why}", file.display());
    let help = "name a private key in ANDAMIO_SSH_KEY, or a public one whose private half an ssh-agent holds";
    Failure::new(Kind::Host, "ssh-key", message, help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use andamio_remote::KeyPair;
    use std::path::PathBuf;

    #[tokio::test]
    async fn a_named_key_is_the_only_one_and_must_be_usable() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("id_ed25519"));
        let pair = KeyPair::generate().unwrap();
        std::fs::write(&one, &pair.private).unwrap();
        std::fs::write(&two, KeyPair::generate().unwrap().private).unwrap();
        let mut access = SshAccess {
            named: Some(one.clone()),
            usual: vec![two],
            agent: Some(folder.path().join("no-agent")),
            ..SshAccess::default()
        };
        let found = person(&access).await.unwrap();
        assert!(found.identities.len() == 1, "{}", found.identities.len());
        assert!(found.identities[0].describe().contains("/one"));
        assert!(found.skipped[0].contains("no-agent"), "{:?}", found.skipped);

        std::fs::write(&one, &pair.public).unwrap();
        let failure = person(&access).await.err().unwrap();
        assert_eq!(failure.error.code, "ssh-key");
        assert!(failure.error.message.contains("only an ssh-agent"), "{}", failure.error.message);
        access.named = Some(folder.path().join("none"));
        assert!(person(&access).await.err().unwrap().error.message.contains("No such file"));
    }

    #[tokio::test]
    async fn the_usual_files_are_tried_and_what_is_none_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let usual: Vec<PathBuf> =
            ["id_rsa", "id_ed25519", "id_old.pub"].map(|name| folder.path().join(name)).into();
        std::fs::write(&usual[0], "nonsense").unwrap();
        std::fs::write(&usual[1], KeyPair::generate().unwrap().private).unwrap();
        std::fs::write(&usual[2], KeyPair::generate().unwrap().public).unwrap();
        let access = SshAccess { usual, ..SshAccess::default() };
        let found = person(&access).await.unwrap();
        assert_eq!(found.identities.len(), 1);
        assert_eq!(found.skipped.len(), 2, "{:?}", found.skipped);
        assert!(found.skipped[0].ends_with("id_rsa: it holds no private key"));
    }
}
