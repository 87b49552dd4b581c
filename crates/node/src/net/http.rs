//! HTTP/1.1 over one connection per request: enough for management interfaces on loopback.

use crate::failure::{Context, Failure, Result};
use base64::Engine;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No answer that is asked for here is larger.
const LARGEST: u64 = 8 * 1024 * 1024;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// One request to `address` (`host:port`).
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) address: &'a str,
    /// With its slash, already encoded.
    pub(crate) path: &'a str,
    /// User and password, sent as Basic.
    pub(crate) login: Option<(&'a str, &'a str)>,
    /// JSON; empty for none.
    pub(crate) body: &'a str,
}

/// Sends a request and reads the answer to its end.
///
/// # Errors
/// When the server cannot be reached, is not done within `deadline`, or does not speak HTTP.
pub(crate) async fn send(request: &Request<'_>, deadline: Duration) -> Result<Answer> {
    let what = format!("{} http://{}{}", request.method, request.address, request.path);
    match tokio::time::timeout(deadline, exchange(request)).await {
        Ok(Ok(bytes)) => {
            parse(&bytes).ok_or_else(|| Failure::new(format!("{what}: the answer is not HTTP")))
        }
        Ok(Err(error)) => Err(error).during(what),
        Err(_) => {
            Err(Failure::new(format!("{what}: no answer within {} ms", deadline.as_millis())))
        }
    }
}

async fn exchange(request: &Request<'_>) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(request.address).await?;
    let mut head = format!(
        "{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
        request.method,
        request.path,
        request.address,
        request.body.len()
    );
    if let Some((user, password)) = request.login {
        let login = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        head.push_str(&format!("Authorization: Basic {login}\r\n"));
    }
    if !request.body.is_empty() {
        head.push_str("Content-Type: application/json\r\n");
    }
    stream.write_all(format!("{head}\r\n{}", request.body).as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.take(LARGEST).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let rest = bytes.get(end + 4..)?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let status =
        first.next().filter(|v| v.starts_with("HTTP/1.")).and(first.next())?.parse().ok()?;
    let chunked = lines.any(|line| {
        let line = line.to_ascii_lowercase();
        line.starts_with("transfer-encoding:") && line.contains("chunked")
    });
    let body = if chunked { unchunk(rest)? } else { rest.to_vec() };
    Some(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(rest.get(..end)?).ok()?;
        let size = size.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = rest.get(end + 2..)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size.checked_add(2)?..)?;
    }
}

/// A text as one part of a path.
pub(crate) fn encode(part: &str) -> String {
    let mut encoded = String::new();
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn any_answer_is_read(bytes: Vec<u8>, head in "(HTTP/1.1 [0-9]{3} \r\n)?(Transfer-Encoding: chunked\r\n)?(\r\n)?[0-9a-f]{0,17}(\r\n)?") {
            let mut answer = head.into_bytes();
            answer.extend(bytes);
            let _ = parse(&answer);
        }
    }

    #[test]
    fn reads_answers() {
        let plain = parse(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno").unwrap();
        assert_eq!((plain.status, plain.body.as_str()), (404, "no"));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n";
        assert_eq!(parse(chunked).unwrap().body, "abcde");
        for broken in [&b"SSH-2.0-OpenSSH"[..], b"HTTP/1.1 \r\n\r\n", b"", b"HTTP/1.1 200\r\n\r"] {
            assert_eq!(parse(broken), None);
        }
        assert_eq!(unchunk(b"ffffffffffffffff\r\nabc"), None);
        assert_eq!(encode("/a b"), "%2Fa%20b");
    }
}
