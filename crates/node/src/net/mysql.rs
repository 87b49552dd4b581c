//! MariaDB's client protocol over the Unix socket: the handshake, and queries as text.
//!
//! A client of its own because a general one logs slow statements, and those that make accounts
//! must not be logged; and because a dozen plain statements need neither a pool nor TLS.

use crate::failure::{Context, Failure, Result};
use sha1::{Digest, Sha1};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// Definitions of accounts wait for the whole Galera cluster.
const ANSWER: Duration = Duration::from_secs(30);
const LARGEST: usize = 16 * 1024 * 1024 - 1;
/// LONG_PASSWORD, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH.
const CAPABILITIES: u32 = 0x1 | 0x200 | 0x2000 | 0x8000 | 0x8_0000;
/// utf8mb4_general_ci.
const CHARSET: u8 = 45;
const NATIVE: &str = "mysql_native_password";

pub(crate) type Row = Vec<Option<String>>;

pub(crate) struct Client {
    stream: BufReader<UnixStream>,
    sequence: u8,
}

impl Client {
    /// Signs in as root, whom the server knows by the uid of this process.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub(crate) async fn root(socket: &str) -> Result<Self> {
        Self::user(socket, "root").await
    }

    /// Signs in as an account that the server knows by the uid of this process.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub(crate) async fn user(socket: &str, user: &str) -> Result<Self> {
        let what = format!("mariadb at {socket}");
        let connect = async {
            let stream = UnixStream::connect(socket).await.during("connecting")?;
            let mut client = Self { stream: BufReader::new(stream), sequence: 0 };
            client.handshake(user, "").await?;
            client.query("SET NAMES utf8mb4").await?;
            Ok::<_, Failure>(client)
        };
        match tokio::time::timeout(ANSWER, connect).await {
            Ok(client) => client.during(what),
            Err(_) => Err(Failure::new(format!("{what}: no answer"))),
        }
    }

    /// Runs one statement and returns its first row by the names of its columns; empty without one.
    pub(crate) async fn named(&mut self, statement: &str) -> Result<BTreeMap<String, String>> {
        match tokio::time::timeout(ANSWER, self.exchange(statement)).await {
            Ok(answer) => {
                let (names, rows) = answer?;
                let row = rows.into_iter().next().unwrap_or_default();
                let row = row.into_iter().map(Option::unwrap_or_default);
                Ok(names.into_iter().zip(row).collect())
            }
            Err(_) => {
                Err(Failure::new(format!("mariadb: no answer within {} s", ANSWER.as_secs())))
            }
        }
    }

    /// Runs one statement and returns its rows. The statement is not repeated in a failure.
    pub(crate) async fn query(&mut self, statement: &str) -> Result<Vec<Row>> {
        match tokio::time::timeout(ANSWER, self.exchange(statement)).await {
            Ok(answer) => answer.map(|(_, rows)| rows),
            Err(_) => {
                Err(Failure::new(format!("mariadb: no answer within {} s", ANSWER.as_secs())))
            }
        }
    }

    async fn exchange(&mut self, statement: &str) -> Result<(Vec<String>, Vec<Row>)> {
        self.sequence = 0;
        let mut packet = vec![3];
        packet.extend_from_slice(statement.as_bytes());
        self.write(&packet).await?;
        let head = self.read().await?;
        match head.first() {
            Some(0) => return Ok(Default::default()),
            Some(0xff) => return Err(refusal(&head)),
            Some(0xfb) | None => return Err(odd()),
            Some(_) => {}
        }
        let columns = usize::try_from(Fields(&head).number()?).map_err(|_| odd())?;
        // Definitions of the columns, then their end.
        let mut names = Vec::new();
        for _ in 0..columns {
            let packet = self.read().await?;
            let mut fields = Fields(&packet);
            // Catalogue, schema, table, table as written, name.
            for _ in 0..4 {
                fields.text()?;
            }
            names.push(fields.text()?.unwrap_or_default());
        }
        self.read().await?;
        let mut rows = Vec::new();
        loop {
            let packet = self.read().await?;
            match packet.first() {
                Some(0xfe) if packet.len() < 9 => return Ok((names, rows)),
                Some(0xff) => return Err(refusal(&packet)),
                _ => {}
            }
            let mut fields = Fields(&packet);
            rows.push((0..columns).map(|_| fields.text()).collect::<Result<Row>>()?);
        }
    }

    async fn handshake(&mut self, user: &str, password: &str) -> Result<()> {
        let greeting = self.read().await?;
        if greeting.first() == Some(&0xff) {
            return Err(refusal(&greeting));
        }
        let nonce = nonce(&greeting).ok_or_else(odd)?;
        let proof = scramble(password, &nonce);
        let mut packet = CAPABILITIES.to_le_bytes().to_vec();
        packet.extend_from_slice(&0x00ff_ffff_u32.to_le_bytes());
        packet.push(CHARSET);
        packet.extend_from_slice(&[0; 23]);
        packet.extend_from_slice(user.as_bytes());
        packet.push(0);
        packet.push(u8::try_from(proof.len()).map_err(|_| odd())?);
        packet.extend_from_slice(&proof);
        packet.extend_from_slice(NATIVE.as_bytes());
        packet.push(0);
        self.write(&packet).await?;
        // One answer for each way of signing in that the account has.
        for _ in 0..4 {
            let answer = self.read().await?;
            match answer.first() {
                Some(0) => return Ok(()),
                Some(0xff) => return Err(refusal(&answer)),
                Some(0xfe) => {
                    let mut parts = answer.get(1..).unwrap_or_default().splitn(2, |b| *b == 0);
                    let plugin = parts.next().unwrap_or_default();
                    let nonce = parts.next().unwrap_or_default();
                    let nonce = nonce.strip_suffix(&[0]).unwrap_or(nonce);
                    // Others know the client by its uid; they take anything, even nothing.
                    let native = plugin == NATIVE.as_bytes();
                    let proof = if native { scramble(password, nonce) } else { Vec::new() };
                    self.write(&proof).await?;
                }
                _ => return Err(odd()),
            }
        }
        Err(odd())
    }

    async fn write(&mut self, packet: &[u8]) -> Result<()> {
        if packet.len() >= LARGEST {
            return Err(Failure::new("the statement is too long"));
        }
        let length = u32::try_from(packet.len()).unwrap_or_default().to_le_bytes();
        let mut bytes = length[..3].to_vec();
        bytes.push(self.sequence);
        bytes.extend_from_slice(packet);
        self.sequence = self.sequence.wrapping_add(1);
        self.stream.write_all(&bytes).await.during("mariadb, sending")
    }

    async fn read(&mut self) -> Result<Vec<u8>> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).await.during("mariadb, reading")?;
        let [a, b, c, sequence] = head;
        self.sequence = sequence.wrapping_add(1);
        let length = u32::from_le_bytes([a, b, c, 0]) as usize;
        if length >= LARGEST {
            return Err(odd());
        }
        let mut packet = vec![0; length];
        self.stream.read_exact(&mut packet).await.during("mariadb, reading")?;
        Ok(packet)
    }
}

/// The 20 bytes of a greeting that the password is mixed with.
fn nonce(greeting: &[u8]) -> Option<Vec<u8>> {
    let version = greeting.get(1..)?;
    let rest = version.get(version.iter().position(|byte| *byte == 0)? + 1..)?;
    // Thread, first part, filler, capabilities, charset, status, length, reserved, second part.
    let mut nonce = rest.get(4..12)?.to_vec();
    nonce.extend_from_slice(rest.get(31..43)?);
    Some(nonce)
}

/// SHA1(password) xor SHA1(nonce, SHA1(SHA1(password))); nothing for no password.
fn scramble(password: &str, nonce: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let once = Sha1::digest(password);
    let mix = Sha1::new().chain_update(nonce).chain_update(Sha1::digest(once)).finalize();
    once.iter().zip(mix).map(|(a, b)| a ^ b).collect()
}

/// What the server stores of a password: `*` and SHA1(SHA1(password)) in upper case.
pub(crate) fn stored(password: &str) -> String {
    if password.is_empty() {
        return String::new();
    }
    format!("*{}", hex::encode_upper(Sha1::digest(Sha1::digest(password))))
}

fn refusal(packet: &[u8]) -> Failure {
    let code = packet.get(1..3).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]));
    let text = packet.get(3..).unwrap_or_default();
    // `#` and five characters of SQL state.
    let text = if text.first() == Some(&b'#') { text.get(6..).unwrap_or_default() } else { text };
    Failure::new(format!("mariadb: {} ({code})", String::from_utf8_lossy(text)))
}

fn odd() -> Failure {
    Failure::new("the answer is not of MariaDB")
}

/// Fields of a packet, each with its length before it.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn number(&mut self) -> Result<u64> {
        let (first, rest) = self.0.split_first().ok_or_else(odd)?;
        let size = match first {
            0xfc => 2,
            0xfd => 3,
            0xfe => 8,
            0xfb | 0xff => return Err(odd()),
            small => {
                self.0 = rest;
                return Ok(u64::from(*small));
            }
        };
        let bytes = rest.get(..size).ok_or_else(odd)?;
        self.0 = rest.get(size..).unwrap_or_default();
        Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn text(&mut self) -> Result<Option<String>> {
        if self.0.first() == Some(&0xfb) {
            self.0 = self.0.get(1..).unwrap_or_default();
            return Ok(None);
        }
        let length = usize::try_from(self.number()?).map_err(|_| odd())?;
        let bytes = self.0.get(..length).ok_or_else(odd)?;
        self.0 = self.0.get(length..).unwrap_or_default();
        Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
    }
}

/// A text as a literal of SQL.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A name as a quoted identifier.
pub(crate) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_password() {
        // SELECT PASSWORD('password')
        assert_eq!(stored("password"), "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19");
    }

    #[test]
    fn reads_fields_and_refuses_half_ones() {
        let mut fields = Fields(b"\x02ab\xfb\xfc\x03\x00abc");
        assert_eq!(fields.text().unwrap().as_deref(), Some("ab"));
        assert_eq!(fields.text().unwrap(), None);
        assert_eq!(fields.text().unwrap().as_deref(), Some("abc"));
        assert!(fields.text().is_err());
        assert!(Fields(b"\xfe\xff\xff").text().is_err());
        assert!(Fields(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff").text().is_err());
        assert!(nonce(b"\x0a11.8").is_none());
    }

    #[test]
    fn quotes() {
        assert_eq!(literal(r"a'b\"), r"'a''b\\'");
        assert_eq!(identifier("a`b"), "`a``b`");
    }
}
