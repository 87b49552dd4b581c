use super::*;
use std::collections::BTreeMap;
use std::time::Instant;
use tokio::net::TcpListener;

proptest::proptest! {
    #[test]
    fn any_answer_is_read(bytes: Vec<u8>, head in "(HTTP/1.[01] [0-9]{3} \r?\n)?(Location: [a-z]*\r?\n)?(\r?\n)?") {
        let mut answer = head.into_bytes();
        answer.extend(bytes);
        let _ = parse(&answer);
    }
}

fn request(address: &str) -> Request {
    Request {
        address: address.to_owned(),
        path: "/up".to_owned(),
        host: Some("shop.example".to_owned()),
        headers: BTreeMap::from([("accept".to_owned(), "text/plain\r\nEvil: 1".to_owned())]),
        status: Vec::new(),
    }
}

/// A real server: it takes one connection, answers in these pieces with pauses between them, and keeps the
/// connection open. What `look` made of it, what it had been asked, and how long it took.
async fn against(pieces: &'static [&'static [u8]]) -> (Result<Answer>, String, Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 4096];
        let n = stream.read(&mut asked).await.unwrap();
        for piece in pieces {
            stream.write_all(piece).await.unwrap();
            stream.flush().await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let rest = stream.read(&mut [0; 10]).await;
        (String::from_utf8_lossy(asked.get(..n).unwrap()).into_owned(), rest)
    });
    let begun = Instant::now();
    let answer = look(&request(&address)).await;
    let took = begun.elapsed();
    let (asked, _) = server.await.unwrap();
    (answer, asked, took)
}

#[tokio::test(flavor = "current_thread")]
async fn nobody_is_waited_for_to_close() {
    let (answer, asked, took) =
        against(&[b"HTTP/1.1 204 No Con", b"tent\r\nX: y\r", b"\n\r\n"]).await;
    assert_eq!(answer.unwrap().status, 204);
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(asked.starts_with("GET /up HTTP/1.1\r\nHost: shop.example\r\n"), "{asked}");
    assert!(asked.contains("\r\naccept: text/plainEvil: 1\r\n") && !asked.contains("Accept"));
    // A body that never ends delays nothing.
    let (answer, _, took) =
        against(&[b"HTTP/1.0 500 No\r\nContent-Length: 99999\r\n\r\nit  broke", b"\nhere"]).await;
    assert_eq!(answer.unwrap().body, "it broke here");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_no_answer_is_named() {
    let said: [(&'static [&'static [u8]], &str); 4] = [
        (&[b"\x15\x03\x01\x00\x02\x02\x46"], "TLS"),
        (&[b"\x00\x00\x12\x04\x00"], "HTTP/2"),
        (&[b"SSH-2.0-OpenSSH\r\n"], "SSH-2.0-OpenSSH"),
        (&[b"HTTP/1.1 hello\r\n\r\n"], "no status"),
    ];
    for (pieces, why) in said {
        let (answer, ..) = against(pieces).await;
        let said = answer.unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let closing = async move { drop(listener.accept().await.unwrap()) };
    let asked = request(&address);
    let (answer, ()) = tokio::join!(look(&asked), closing);
    let said = answer.unwrap_err().to_string();
    assert!(said.contains("no answer") || said.contains("reset"), "{said}");
    let said = look(&asked).await.unwrap_err().to_string();
    assert!(said.contains("refused"), "{said}");
}

#[test]
fn heads_of_all_kinds_are_read() {
    let status = |bytes: &[u8]| match parse(bytes) {
        Parsed::Head(answer, body) => Some((answer.status, answer.location, body)),
        _ => None,
    };
    let moved = b"HTTP/1.1 301 Moved\r\nlocation: https://a/\r\n\r\nx";
    assert_eq!(status(moved), Some((301, Some("https://a/".to_owned()), moved.len() - 1)));
    assert_eq!(status(b"HTTP/1.0 200\n\n"), Some((200, None, 14)));
    let hints = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
    assert_eq!(status(hints), Some((200, None, hints.len())));
    for part in [&b""[..], b"HT", b"HTTP/1.1 200 OK\r\nA: b\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"]
    {
        assert_eq!(parse(part), Parsed::Part);
    }
}
