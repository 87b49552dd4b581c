use super::*;
use andamio_manifest::LoadRequest;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

fn request(path: &str) -> LoadRequest {
    LoadRequest {
        method: "GET".to_owned(),
        path: path.to_owned(),
        weight: 1,
        headers: [].into(),
        body: String::new(),
        status: Vec::new(),
    }
}

fn job(url: String, rate: u32, seconds: u32, requests: Vec<LoadRequest>) -> LoadJob {
    LoadJob { v: 1, url, address: None, authority: None, rate, seconds, requests }
}

/// Says what each path asks for: a status, silence, or the end of the connection. Counts connections.
async fn server(connections: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(serve(stream));
        }
    });
    url
}

async fn serve(stream: TcpStream) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
            head.push(line);
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let path = head[0].split(' ').nth(1).unwrap().to_owned();
        let status = match path.as_str() {
            "/silent" => return std::future::pending().await,
            "/cut" => return None,
            "/posted" if head[0].starts_with("post") && body == b"{}" => "201",
            "/named" if head.contains(&"host: shop.example".to_owned()) => "204",
            other => other.trim_start_matches('/'),
        };
        let end = if status == "204" { "" } else { "content-length: 2\r\n" };
        let body = if status == "204" { "" } else { "ok" };
        let answer = format!("HTTP/1.1 {status} x\r\nlocation: /200\r\n{end}\r\n{body}");
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

async fn run(job: &LoadJob) -> (Vec<LoadLine>, LoadFigures) {
    let text = serde_json::to_string(job).unwrap();
    let mut lines = Vec::new();
    let each = |line: &LoadLine| {
        lines.push(line.clone());
        Ok(())
    };
    load(text.as_bytes(), each).await.unwrap();
    let Some(LoadLine::Figures(figures)) = lines.pop() else { panic!("{lines:?}") };
    (lines, figures)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_sent_on_time_over_few_connections() {
    let connections = Arc::new(AtomicUsize::new(0));
    let url = server(Arc::clone(&connections)).await;
    let (lines, figures) = run(&job(url, 100, 2, vec![request("/200")])).await;
    assert_eq!(lines.first(), Some(&LoadLine::Begun));
    assert!(matches!(lines.get(1), Some(LoadLine::Progress { second: 1, failures: 0, .. })));
    assert_eq!((figures.requests, figures.failures), (200, 0), "{figures:?}");
    assert_eq!((figures.acknowledged, figures.missing, figures.lost()), (None, None, None));
    assert!(figures.p50_ms <= figures.p99_ms && figures.longest_gap_ms < 1000, "{figures:?}");
    let sum: u32 = figures.timeline.iter().map(|[good, _]| good).sum();
    assert_eq!((sum, figures.timeline.len()), (200, 8));
    assert!(connections.load(Ordering::Relaxed) < 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_counted_by_its_cause_and_no_redirect_is_followed() {
    let url = server(Arc::default()).await;
    let paths = ["/200", "/503", "/302", "/cut", "/silent", "/404"];
    let mut requests: Vec<_> = paths.map(request).to_vec();
    requests[5].status = vec![404, 410];
    requests.push(LoadRequest {
        method: "POST".to_owned(),
        body: "{}".to_owned(),
        ..request("/posted")
    });
    let (_, figures) = run(&job(url, 14, 1, requests)).await;
    assert_eq!((figures.requests, figures.failures), (14, 8), "{figures:?}");
    let of = |cause: &str| {
        let with = figures.causes.iter().filter(|(name, _)| name.starts_with(cause));
        with.map(|(_, count)| count).sum::<u64>()
    };
    let all = ["status 503", "status 302", "timeout", "connection: "].map(of);
    assert_eq!(all, [2; 4], "{figures:?}");
    assert!(figures.p99_ms >= 2000.0 && figures.p99_ms < 2400.0, "{figures:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_open_loop_does_not_wait_for_answers() {
    let url = server(Arc::default()).await;
    let begun = Instant::now();
    let (_, figures) = run(&job(url, 50, 1, vec![request("/silent")])).await;
    assert_eq!((figures.requests, figures.causes["timeout"]), (50, 50), "{figures:?}");
    assert_eq!(figures.longest_gap_ms, 1000);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_name_leads_can_be_said() {
    let url = server(Arc::default()).await;
    let port = url.rsplit(':').next().unwrap();
    let mut one = job("http://shop.example".to_owned(), 5, 1, vec![request("/named")]);
    one.address = Some(format!("127.0.0.1:{port}"));
    assert_eq!(run(&one).await.1.failures, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_when_nobody_reads_any_more() {
    let url = server(Arc::default()).await;
    let text = serde_json::to_string(&job(url, 10, 60, vec![request("/200")])).unwrap();
    let begun = Instant::now();
    let each = |line: &LoadLine| match line {
        LoadLine::Begun => Ok(()),
        _ => Err(std::io::ErrorKind::BrokenPipe.into()),
    };
    load(text.as_bytes(), each).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn what_cannot_be_sent_is_no_load() {
    let url = || "http://127.0.0.1:1".to_owned();
    let weightless = LoadRequest { weight: 0, ..request("/") };
    let method = LoadRequest { method: "A B".to_owned(), ..request("/") };
    let bad = [
        job("ftp://127.0.0.1".to_owned(), 1, 1, vec![request("/")]),
        job("127.0.0.1".to_owned(), 1, 1, vec![request("/")]),
        job(url(), 1, 1, Vec::new()),
        job(url(), 0, 1, vec![request("/")]),
        job(url(), 1, 1, vec![weightless]),
        job(url(), 1, 1, vec![method]),
        LoadJob {
            authority: Some("/no/such.pem".to_owned()),
            ..job(url(), 1, 1, vec![request("/")])
        },
    ];
    for job in bad {
        let text = serde_json::to_string(&job).unwrap();
        assert!(load(text.as_bytes(), |_| Ok(())).await.is_err(), "{text}");
    }
    assert!(load(&b"{"[..], |_| Ok(())).await.is_err());
}

#[tokio::test]
async fn requests_are_mixed_by_their_weight() {
    let one = job("http://127.0.0.1:1".to_owned(), 1, 1, Vec::new());
    let sender = Sender::new(&one).unwrap();
    let weighted = |path: &str, weight| LoadRequest { weight, ..request(path) };
    let requests = [weighted("/a", 5), weighted("/b", 1), weighted("/c", 1)];
    let mut schedule = Schedule::new(&sender, &requests).unwrap();
    let order: String = (0..14).map(|_| schedule.next().unwrap().path().to_owned()).collect();
    assert_eq!(order, "/a/a/b/a/c/a/a/a/a/b/a/c/a/a");
}
