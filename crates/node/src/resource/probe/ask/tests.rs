use super::*;
use crate::machine::Mode;
use andamio_manifest::Manifest;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A real server that answers one request so and keeps the connection.
async fn server(head: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 2048];
        while stream.read(&mut asked).await.is_ok_and(|n| n > 0) {
            stream.write_all(format!("{head}\r\n\r\n").as_bytes()).await.unwrap();
        }
    });
    address
}

async fn asked(head: &'static str, status: &[u16]) -> Result<()> {
    let address = server(head).await;
    let host = Some("shop.example".to_owned());
    let (path, status) = ("/up".to_owned(), status.to_vec());
    request(&Asked { address, path, host, headers: BTreeMap::new(), status }).await
}

#[tokio::test(flavor = "current_thread")]
async fn any_status_can_be_the_right_one() {
    for (head, status) in [
        ("HTTP/1.1 204 No Content", &[][..]),
        ("HTTP/1.1 401 Unauthorized", &[200, 401]),
        ("HTTP/1.0 301 Moved", &[301]),
    ] {
        assert_eq!(asked(head, status).await, Ok(()), "{head}");
    }
    let failure = asked("HTTP/1.1 200 OK", &[204, 401]).await.unwrap_err();
    assert!(failure.to_string().contains("(Host: shop.example) answers 200, not 204 or 401"));
    let failure = asked("HTTP/1.1 302 Found\r\nLocation: /login", &[]).await.unwrap_err();
    assert!(failure.to_string().ends_with("answers 302 to /login, not 2xx"), "{failure}");
}

#[tokio::test(flavor = "current_thread")]
async fn an_answer_that_may_change_is_told_from_one_that_will_not() {
    for (head, is_final) in [
        ("HTTP/1.1 400 Bad Request", true),
        ("HTTP/1.1 404 Not Found", true),
        ("HTTP/1.1 429 Too Many Requests", false),
        ("HTTP/1.1 503 Service Unavailable", false),
    ] {
        let failure = asked(head, &[]).await.unwrap_err();
        assert_eq!(failure.cause() == Some(Cause::Application), is_final, "{head}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_port_that_takes_connections_is_enough() {
    let manifest = r#"{"v":1,"machine":"a","instance":"dev@local","generation":1,"resources":[]}"#;
    let manifest: Manifest = serde_json::from_str(manifest).unwrap();
    let mut machine = Machine::new(Rc::new(manifest), Mode::Apply, true);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let check = Check::Tcp(listener.local_addr().unwrap().to_string());
    assert_eq!(once(&check, &mut machine).await, Ok(()));
    drop(listener);
    let failure = once(&check, &mut machine).await.unwrap_err();
    assert!(failure.to_string().contains("refused"), "{failure}");
}
