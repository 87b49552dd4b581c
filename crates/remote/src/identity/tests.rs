use super::*;
use crate::KeyPair;
use std::process::{Command, Stdio};

/// Runs a program of the host; false where it is not there.
fn ran(words: &[&str]) -> bool {
    let done = Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    done.is_ok_and(|status| status.success())
}

fn keygen(file: &Path, words: &[&str]) -> bool {
    let file = file.display().to_string();
    let mut all = vec!["ssh-keygen", "-q", "-f", &file];
    all.extend(words);
    ran(&all)
}

#[test]
fn every_kind_and_format_of_key_is_read() {
    let folder = tempfile::tempdir().unwrap();
    for (name, words) in [
        ("Ed25519", &["-t", "ed25519"][..]),
        ("ECDSA", &["-t", "ecdsa", "-b", "256"]),
        ("ECDSA", &["-t", "ecdsa", "-b", "521"]),
        ("RSA", &["-t", "rsa", "-b", "2048"]),
        ("RSA", &["-t", "rsa", "-b", "2048", "-m", "PEM"]),
        ("RSA", &["-t", "rsa", "-b", "2048", "-m", "PKCS8"]),
        ("ECDSA", &["-t", "ecdsa", "-m", "PEM"]),
        ("ECDSA", &["-t", "ecdsa", "-m", "PKCS8"]),
    ] {
        let at = |ending: &str| folder.path().join(format!("{}{ending}", words.concat()));
        let (plain, locked) = (at(".plain"), at(".locked"));
        let with = |phrase| [words, &["-N", phrase]].concat();
        if !keygen(&plain, &with("")) {
            continue; // Not every host has ssh-keygen.
        }
        let read = SshKey::read(&plain, "it", None).unwrap();
        assert!(read.describe().starts_with(&format!("{name} SHA256:")), "{}", read.describe());
        assert!(read.describe().ends_with("(it)") && read.is_locked().is_none());
        let public = SshKey::read(&with_pub(&plain), "it", None).unwrap();
        assert!(public.is_public_only() && public.is_same_key(&read), "{words:?}");

        assert!(keygen(&locked, &with("geheim")));
        let read = SshKey::read(&locked, "it", None).unwrap();
        assert_eq!(read.is_locked(), Some(&*locked), "{words:?}");
        let public = SshKey::read(&with_pub(&locked), "it", None).unwrap();
        assert!(public.is_same_key(&read), "{words:?}");
        // ssh-keygen's own old format for EC is for no other program.
        let old = words.contains(&"PEM") && name == "ECDSA";
        let open = SshKey::read(&locked, "it", Some("geheim"));
        assert!(old || open.is_ok_and(|key| key.is_locked().is_none()), "{words:?}");
        let wrong = SshKey::read(&locked, "it", Some("falsch"));
        assert!(matches!(wrong, Err(KeyError::Passphrase)), "{words:?}");
    }
}

fn with_pub(file: &Path) -> PathBuf {
    with(file, ".pub")
}

#[test]
fn ed25519_of_other_programs_is_read() {
    // As `openssl genpkey -algorithm ed25519` writes it (RFC 8410).
    let text = "-----BEGIN PRIVATE KEY-----\r\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\r\n\
        -----END PRIVATE KEY-----\r\n";
    assert!(SshKey::parse(text, "it").unwrap().describe().starts_with("Ed25519 SHA256:"));
}

#[test]
fn what_is_no_key_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let said = |content: &[u8]| {
        std::fs::write(&file, content).unwrap();
        SshKey::read(&file, "it", None).err().map(|e| e.to_string()).unwrap_or_default()
    };
    assert_eq!(said(b"nonsense"), "it holds no private key");
    assert_eq!(said(b""), "it holds no private key");
    assert_eq!(said(&[0xff, 0xfe]), "it holds no private key");
    let pair = KeyPair::generate().unwrap();
    let half = &pair.private[..pair.private.len() / 2];
    assert!(said(half.as_bytes()).starts_with("it is not a usable private key"));
    std::fs::write(&file, &pair.private).unwrap();
    let read = SshKey::read(&file, "it", None).unwrap();
    assert!(read.is_same_key(&SshKey::parse(&pair.private, "other").unwrap()));
    let none = SshKey::read(&folder.path().join("none"), "it", None).err().unwrap();
    assert!(none.to_string().contains("No such file"), "{none}");
}

#[tokio::test]
async fn an_agent_tells_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, file) = (folder.path().join("agent"), folder.path().join("key"));
    let path = socket.display().to_string();
    let agent = Command::new("ssh-agent").args(["-D", "-a", &path]).stdout(Stdio::null()).spawn();
    let (Ok(mut agent), true) = (agent, keygen(&file, &["-t", "rsa", "-b", "2048", "-N", ""]))
    else {
        return;
    };
    while !socket.exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let add = Command::new("ssh-add").arg("-q").arg(&file).env("SSH_AUTH_SOCK", &socket).status();
    assert!(add.unwrap().success());
    let keys = SshKey::agent(&socket).await.unwrap();
    let own = SshKey::read(&file, "it", None).unwrap();
    assert!(keys.len() == 1 && keys[0].is_same_key(&own), "{}", keys.len());
    assert!(keys[0].describe().ends_with("(ssh-agent)"), "{}", keys[0].describe());
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert!(SshKey::agent(&socket).await.is_err());
}
