//! Objects over HTTP, with the addresses that the API signs: what was acknowledged is there after
//! `kill -9`, whole, and counted.

use crate::support::{Emulator, ask};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const S3: &[&str] = &["--s3-listen", "127.0.0.1:0", "--no-rate-limits"];
const TOKEN: &str = "Authorization: Bearer x\r\n";
const BUCKET: &str = "/object-storage/buckets/fr-par/team-state";
/// Bytes that have no file of their own.
const SMALL: u64 = 4096;
const WRITERS: usize = 8;
/// Acknowledged writes that the kills are between.
const WRITES: usize = 200;

/// Status and body. `None` when the connection ended without a whole answer.
fn http(url: &str, method: &str, headers: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
    let rest = url.strip_prefix("http://")?;
    let (host, path) = rest.split_once('/')?;
    let mut stream = TcpStream::connect(host).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let length = body.len();
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\
         {headers}\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let body = answer[end + 4..].to_vec();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    (length.is_none_or(|n| n.parse() == Ok(body.len()))).then_some((status, body))
}

/// An address that the API signs.
fn signed(api: &str, method: &str, name: &str) -> Option<String> {
    let asked = json!({"method": method, "name": name});
    let answer = ask(api, "POST", &format!("{BUCKET}/object-url"), TOKEN, Some(&asked))?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    Some(answer.body["url"].as_str()?.to_owned())
}

fn put(api: &str, name: &str, headers: &str, body: &[u8]) -> Option<u16> {
    http(&signed(api, "PUT", name)?, "PUT", headers, body).map(|(status, _)| status)
}

fn get(api: &str, name: &str) -> (u16, Vec<u8>) {
    http(&signed(api, "GET", name).unwrap(), "GET", "", b"").unwrap()
}

fn bucket(emulator: &Emulator) -> Value {
    emulator.get(BUCKET).ok()
}

fn make(emulator: &Emulator) {
    let made = emulator
        .post("/object-storage/buckets", &json!({"label": "team-state", "region": "fr-par"}))
        .ok();
    let endpoint = made["s3_endpoint"].as_str().unwrap();
    assert!(endpoint.starts_with("127.0.0.1:"), "{made}");
    assert_eq!(made["hostname"], format!("team-state.{endpoint}"));
}

/// What belongs under a name: half of it, or another's, is not the same.
fn content(name: &str) -> Vec<u8> {
    let times = 1 + name.bytes().map(usize::from).sum::<usize>() * 37 % 4000;
    name.repeat(times).into_bytes()
}

/// Writes until nobody answers; returns what was acknowledged.
fn write(api: &str, round: usize, writer: usize) -> Vec<String> {
    let names = (0..).map(|number| format!("{round}/{writer}/ñ {number}"));
    let acknowledged = |name: &String| match put(api, name, "", &content(name)) {
        Some(status) => {
            assert_eq!(status, 200, "{name}");
            true
        }
        None => false,
    };
    names.take_while(acknowledged).collect()
}

#[test]
fn no_acknowledged_object_is_lost_or_cut_short() {
    let emulator = Emulator::start(S3);
    make(&emulator);
    let mut state: TempDir = emulator.kill();
    let (mut acknowledged, mut round) = (BTreeSet::new(), 0);
    while acknowledged.len() < WRITES || round < 5 {
        let emulator = Emulator::on(state, S3);
        let api = emulator.address();
        state = thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let api = &api;
                    scope.spawn(move || write(api, round, writer))
                })
                .collect();
            thread::sleep(Duration::from_millis(120 + round as u64 % 7 * 35));
            let state = emulator.kill();
            acknowledged.extend(writers.into_iter().flat_map(|w| w.join().unwrap()));
            state
        });
        round += 1;
        assert!(round < 200, "{} writes in {round} rounds", acknowledged.len());
    }
    let emulator = Emulator::on(state, S3);
    let api = emulator.address();
    let (mut found, mut marker) = (BTreeMap::new(), String::new());
    loop {
        let page = emulator.get(&format!("{BUCKET}/object-list?page_size=90&marker={marker}")).ok();
        for object in page["data"].as_array().unwrap() {
            found.insert(
                object["name"].as_str().unwrap().to_owned(),
                object["size"].as_u64().unwrap(),
            );
        }
        let Some(next) = page["next_marker"].as_str() else { break };
        marker = next.bytes().map(|byte| format!("%{byte:02X}")).collect();
    }
    let lost: Vec<_> = acknowledged.iter().filter(|name| !found.contains_key(*name)).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), acknowledged.len());
    for name in found.keys() {
        assert!(get(&api, name) == (200, content(name)), "{name} is not whole");
    }
    let counted = bucket(&emulator);
    assert_eq!(counted["objects"], found.len());
    assert_eq!(counted["size"], found.values().sum::<u64>());
    let files = fs::read_dir(emulator.state.path().join("objects")).unwrap().count();
    let large = found.values().filter(|size| **size > SMALL).count();
    assert!(files == large && large > 0, "{files} files for {large} objects");
    println!("{} acknowledged in {round} kills, {} found", acknowledged.len(), found.len());
}

#[test]
fn of_rivals_one_creates() {
    let emulator = Emulator::start(S3);
    make(&emulator);
    let api = emulator.address();
    for race in 0..20 {
        let name = format!("race-{race}");
        let answers: Vec<u16> = thread::scope(|scope| {
            let rivals: Vec<_> = (0..WRITERS)
                .map(|rival| {
                    let (api, name) = (&api, &name);
                    scope.spawn(move || {
                        let body = format!("rival {rival}");
                        put(api, name, "If-None-Match: *\r\n", body.as_bytes()).unwrap()
                    })
                })
                .collect();
            rivals.into_iter().map(|rival| rival.join().unwrap()).collect()
        });
        let won = answers.iter().filter(|status| **status == 200).count();
        let lost = answers.iter().filter(|status| **status == 412).count();
        assert_eq!((won, lost), (1, WRITERS - 1), "{answers:?}");
    }
}

#[test]
fn a_bucket_with_objects_stays() {
    let emulator = Emulator::start(S3);
    make(&emulator);
    let api = emulator.address();
    assert_eq!(put(&api, "kept", "", b"12345"), Some(200));
    assert_eq!(
        (bucket(&emulator)["objects"].clone(), bucket(&emulator)["size"].clone()),
        (json!(1), json!(5))
    );
    let refused = emulator.delete(BUCKET).errors(400);
    assert!(refused[0].1.contains("not empty"), "{refused:?}");
    let gone = http(&signed(&api, "DELETE", "kept").unwrap(), "DELETE", "", b"").unwrap();
    assert_eq!(gone.0, 204);
    assert_eq!(get(&api, "kept").0, 404);
    assert_eq!(bucket(&emulator)["objects"], 0);
    emulator.delete(BUCKET).ok();
    assert_eq!(emulator.get(BUCKET).status, 404);
}

#[test]
fn without_a_signature_only_what_everybody_may() {
    let emulator = Emulator::start(S3);
    make(&emulator);
    let api = emulator.address();
    assert_eq!(put(&api, "page", "Content-Type: text/html\r\n", b"<p>"), Some(200));
    let signed = signed(&api, "GET", "page").unwrap();
    let (plain, _) = signed.split_once('?').unwrap();
    assert_eq!(http(plain, "GET", "", b"").unwrap().0, 403);
    let forged = signed.replace("X-Amz-Expires=3600", "X-Amz-Expires=86400");
    assert_eq!(http(&forged, "GET", "", b"").unwrap().0, 403);
    assert_eq!(http(&signed, "PUT", "", b"other").unwrap().0, 403, "it was signed for GET");
    emulator.put(&format!("{BUCKET}/access"), &json!({"acl": "public-read"})).ok();
    assert_eq!(http(plain, "GET", "Range: bytes=1-1\r\n", b"").unwrap(), (206, b"p".to_vec()));
    assert_eq!(http(plain, "PUT", "", b"other").unwrap().0, 403);
}
