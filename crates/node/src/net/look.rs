//! A GET for its status. The head of the answer is read, and of the body what comes at once: whether the server
//! closes the connection, and when, is of no interest.

use crate::failure::{Context, Failure, Result};
use andamio_manifest::{Cause, Request};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// More than any server sends of headers.
const HEAD: usize = 64 * 1024;
/// Enough of a body to see what went wrong.
const BODY: usize = 2000;
const BODY_TIME: Duration = Duration::from_millis(300);

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Where a redirection leads to.
    pub(crate) location: Option<String>,
    /// Its beginning.
    pub(crate) body: String,
}

/// Asks, for as long as the caller waits.
///
/// # Errors
/// When the server cannot be reached, or closes before the head of an answer is there, or speaks something else.
pub(crate) async fn look(request: &Request) -> Result<Answer> {
    let what = format!("GET http://{}{}", request.address, request.path);
    let mut stream = TcpStream::connect(&request.address).await.during(&what)?;
    // A server may answer without listening to the end.
    let _ = stream.write_all(head(request).as_bytes()).await;
    let mut bytes = Vec::new();
    let (mut answer, body) = loop {
        match parse(&bytes) {
            Parsed::Head(answer, body) => break (answer, body),
            Parsed::Foreign(why) => {
                return Err(Failure::because(Cause::Application, format!("{what}: {why}")));
            }
            Parsed::Part if bytes.len() > HEAD => {
                return Err(Failure::new(format!("{what}: the headers of the answer never end")));
            }
            Parsed::Part => {}
        }
        if stream.read_buf(&mut bytes).await.during(&what)? == 0 {
            let why = if bytes.is_empty() { "no answer" } else { "no whole answer" };
            return Err(Failure::new(format!("{what}: {why} before the connection was closed")));
        }
    };
    if !(200..300).contains(&answer.status) {
        let rest = async {
            while bytes.len() < body + BODY
                && matches!(stream.read_buf(&mut bytes).await, Ok(n) if n > 0)
            {}
        };
        // It may be slow, or never end.
        let _ = tokio::time::timeout(BODY_TIME, rest).await;
        answer.body = beginning(bytes.get(body..).unwrap_or_default());
    }
    Ok(answer)
}

fn head(request: &Request) -> String {
    let host = request.host.as_deref().unwrap_or(&request.address);
    let mut head = format!("GET {} HTTP/1.1\r\nHost: {host}\r\n", request.path);
    let own = [("User-Agent", "andamio"), ("Accept", "*/*"), ("Connection", "close")];
    let given = |name: &str| request.headers.keys().any(|key| key.eq_ignore_ascii_case(name));
    let own = own.into_iter().filter(|(name, _)| !given(name));
    let given = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in own.chain(given) {
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head + "\r\n"
}

#[derive(Debug, PartialEq, Eq)]
enum Parsed {
    /// And where its body begins.
    Head(Answer, usize),
    Part,
    Foreign(String),
}

/// What has come so far. Answers that only announce another one (100, 103) are passed over.
fn parse(bytes: &[u8]) -> Parsed {
    let mut from = 0;
    loop {
        let rest = bytes.get(from..).unwrap_or_default();
        if let Some(why) = foreign(rest) {
            return Parsed::Foreign(why);
        }
        let Some(end) = end_of_head(rest) else { return Parsed::Part };
        let head = String::from_utf8_lossy(rest.get(..end).unwrap_or_default());
        from += end;
        let mut lines = head.lines();
        let first = lines.next().unwrap_or_default();
        let status = first.split_whitespace().nth(1).and_then(|status| status.parse().ok());
        let Some(status) = status.filter(|status| (100..1000).contains(status)) else {
            return Parsed::Foreign(format!("`{}` is no status of HTTP", printable(first)));
        };
        if (102..200).contains(&status) || status == 100 {
            continue;
        }
        let location = lines.filter_map(|line| line.split_once(':'));
        let mut location = location.filter(|(name, _)| name.eq_ignore_ascii_case("location"));
        let location = location.next().map(|(_, to)| printable(to.trim()));
        return Parsed::Head(Answer { status, location, body: String::new() }, from);
    }
}

/// Of two lines that end in one way or the other.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let after = |mark: &[u8]| {
        bytes.windows(mark.len()).position(|window| window == mark).map(|at| at + mark.len())
    };
    after(b"\r\n\r\n").into_iter().chain(after(b"\n\n")).min()
}

/// Another protocol, told as soon as its first bytes are there.
fn foreign(bytes: &[u8]) -> Option<String> {
    const START: &[u8] = b"HTTP/";
    if bytes.iter().zip(START).all(|(byte, wanted)| byte == wanted) {
        return None;
    }
    Some(match bytes {
        // An alert, or a handshake.
        [0x15 | 0x16, 0x03, ..] => "it speaks TLS there, and is asked without".to_owned(),
        [0x15 | 0x16] => return None,
        // SETTINGS, the first frame of a server that was not asked in HTTP/1.1.
        [0, 0, _, 4, ..] => "it speaks HTTP/2 only".to_owned(),
        [0] | [0, 0] | [0, 0, _] => return None,
        _ => {
            let line = String::from_utf8_lossy(bytes);
            format!("`{}` is not HTTP", printable(line.lines().next().unwrap_or_default()))
        }
    })
}

fn beginning(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> = text.split_whitespace().collect();
    let text: String = words.join(" ").chars().filter(|c| !c.is_control()).collect();
    text.chars().take(500).collect()
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests;
