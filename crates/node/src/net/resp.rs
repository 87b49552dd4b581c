//! Redis' protocol: commands as arrays of bulk strings, and its answers.

use super::tls;
use crate::failure::{Context, Failure, Result};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A local server answers in microseconds; one that loads its data says so at once.
const ANSWER: Duration = Duration::from_secs(5);
const LARGEST: usize = 8 * 1024 * 1024;
/// Answers nest two deep.
const DEEPEST: u32 = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
    Nothing,
    List(Vec<Value>),
}

impl Value {
    /// A text or number as text.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Nothing | Self::List(_) => String::new(),
        }
    }

    pub(crate) fn list(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }
}

pub(crate) struct Client {
    stream: BufReader<TlsStream<TcpStream>>,
}

impl Client {
    /// Connects to `host:port` over TLS and signs in when there is a password.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses the password.
    pub(crate) async fn connect(address: &str, password: &str) -> Result<Self> {
        let stream = tokio::time::timeout(ANSWER, TcpStream::connect(address))
            .await
            .map_err(|_| Failure::new(format!("redis at {address} does not accept a connection")))?
            .during(format!("redis at {address}"))?;
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let stream = tokio::time::timeout(ANSWER, tls::connect(stream, host, None))
            .await
            .map_err(|_| Failure::new(format!("redis at {address} does not answer")))??;
        let mut client = Self { stream: BufReader::new(stream) };
        if !password.is_empty() {
            client.call(&["AUTH", password]).await?;
        }
        Ok(client)
    }

    /// Sends a command and reads its answer. Failures name the command, never its arguments.
    pub(crate) async fn call(&mut self, command: &[&str]) -> Result<Value> {
        let name = command.first().copied().unwrap_or_default();
        let mut bytes = format!("*{}\r\n", command.len());
        for part in command {
            bytes.push_str(&format!("${}\r\n{part}\r\n", part.len()));
        }
        let exchange = async {
            self.stream.write_all(bytes.as_bytes()).await.during("sending")?;
            read(&mut self.stream, DEEPEST).await
        };
        match tokio::time::timeout(ANSWER, exchange).await {
            Ok(answer) => answer.during(format!("redis, {name}")),
            Err(_) => Err(Failure::new(format!("redis, {name}: no answer"))),
        }
    }
}

async fn read<R: tokio::io::AsyncBufRead + Unpin>(from: &mut R, deepest: u32) -> Result<Value> {
    let mut line = Vec::new();
    from.take(64 * 1024).read_until(b'\n', &mut line).await.during("reading")?;
    let line = String::from_utf8_lossy(&line);
    let odd = || Failure::new("the answer is not of Redis");
    let line = line.strip_suffix("\r\n").ok_or_else(odd)?;
    let mut chars = line.chars();
    let kind = chars.next().ok_or_else(odd)?;
    let rest = chars.as_str();
    match kind {
        '+' => Ok(Value::Text(rest.to_owned())),
        '-' => Err(Failure::new(rest)),
        ':' => rest.parse().map(Value::Number).map_err(|_| odd()),
        '$' | '*' if rest == "-1" => Ok(Value::Nothing),
        '$' => {
            let length: usize = rest.parse().map_err(|_| odd())?;
            if length > LARGEST {
                return Err(odd());
            }
            let mut bytes = vec![0; length + 2];
            from.read_exact(&mut bytes).await.during("reading")?;
            bytes.truncate(length);
            Ok(Value::Text(String::from_utf8_lossy(&bytes).into_owned()))
        }
        '*' => {
            let length: usize = rest.parse().map_err(|_| odd())?;
            if length > LARGEST / 64 || deepest == 0 {
                return Err(odd());
            }
            let mut items = Vec::new();
            for _ in 0..length {
                items.push(Box::pin(read(from, deepest - 1)).await?);
            }
            Ok(Value::List(items))
        }
        _ => Err(odd()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parse(mut bytes: &[u8]) -> Result<Value> {
        read(&mut bytes, DEEPEST).await
    }

    #[tokio::test(flavor = "current_thread")]
    async fn reads_answers() {
        assert_eq!(parse(b"+OK\r\n").await.unwrap(), Value::Text("OK".into()));
        assert_eq!(parse(b"$-1\r\n").await.unwrap(), Value::Nothing);
        let list = parse(b"*3\r\n$4\r\na\r\nb\r\n:-7\r\n*0\r\n").await.unwrap();
        let items = [Value::Text("a\r\nb".into()), Value::Number(-7), Value::List(Vec::new())];
        assert_eq!(list.list(), items);
        assert_eq!(parse(b"-NOAUTH no\r\n").await.unwrap_err().to_string(), "NOAUTH no");
        for broken in [&b""[..], b"+OK", b"$99\r\na\r\n", b"*99999999999\r\n", b"?\r\n", b"$x\r\n"]
        {
            assert!(parse(broken).await.is_err());
        }
        let deep = "*1\r\n".repeat(20);
        assert!(parse(deep.as_bytes()).await.is_err());
    }
}
