//! As much of HTTP/1.1 as talking to a web driver and a health page takes.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// A page with photographs of a whole month is rendered within this.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// One request on a connection of its own.
///
/// # Errors
/// With a sentence, when nobody answers in HTTP.
pub fn request(
    authority: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Answer, String> {
    let explain = |e: std::io::Error| format!("{method} {authority}{path}: {e}");
    let address = authority.to_socket_addrs().map_err(explain)?.next();
    let address = address.ok_or_else(|| format!("{authority} is no address"))?;
    let mut stream =
        TcpStream::connect_timeout(&address, Duration::from_secs(5)).map_err(explain)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(explain)?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).map_err(explain)?;
    read(&mut stream).ok_or_else(|| format!("{method} {authority}{path}: no answer in HTTP"))
}

/// Whatever says where its body ends; a server need not close the connection.
fn read(stream: &mut TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    let mut part = [0; 16 * 1024];
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end + 4;
        }
        match stream.read(&mut part).ok()? {
            0 => return None,
            n => bytes.extend_from_slice(&part[..n]),
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let status = text.split_whitespace().nth(1)?.parse().ok()?;
    let length = text.lines().find_map(|l| l.strip_prefix("content-length:"));
    let length: Option<usize> = length.and_then(|l| l.trim().parse().ok());
    let chunked =
        text.lines().any(|l| l.starts_with("transfer-encoding:") && l.contains("chunked"));
    loop {
        let body = &bytes[head..];
        if let Some(length) = length.filter(|l| body.len() >= *l) {
            return Some(answer(status, &body[..length]));
        }
        if chunked && let Some(body) = dechunk(body) {
            return Some(answer(status, &body));
        }
        match stream.read(&mut part).ok()? {
            0 if length.is_none() && !chunked => return Some(answer(status, body)),
            0 => return None,
            n => bytes.extend_from_slice(&part[..n]),
        }
    }
}

fn answer(status: u16, body: &[u8]) -> Answer {
    Answer { status, body: String::from_utf8_lossy(body).into_owned() }
}

/// `None` while the last chunk has not arrived.
fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|w| w == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 4 + size..)?;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn chunks_are_put_together_when_all_are_there() {
        assert_eq!(super::dechunk(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").unwrap(), b"abcde");
        assert!(super::dechunk(b"3\r\nabc\r\n2\r\nd").is_none());
    }
}
