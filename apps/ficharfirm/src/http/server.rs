//! Accepting connections, and ending well: told to stop, the server is not ready at once, still accepts until
//! balancers have seen that, then finishes what it has begun.

use std::{net::SocketAddr, time::Duration};

use axum::Extension;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;

use super::{App, client_address::Peer, router};

/// From the first signal to the end, whatever is still open.
const STOP: Duration = Duration::from_secs(20);
/// Also how long a connection may rest; longer than balancers and clients keep theirs.
const HEADERS: Duration = Duration::from_secs(30);

/// Serves until the process is told to stop.
pub(crate) async fn serve(app: App) -> std::io::Result<()> {
    let listener = listen(app.config.port).await?;
    tracing::info!(port = app.config.port, release = app.config.release, "listening");
    let router = router(app.clone());
    let graceful = GracefulShutdown::new();
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADERS);
    let stopping = async {
        app.shutdown.wait().await;
        tokio::time::sleep(app.config.drain).await;
    };
    tokio::pin!(stopping);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stopping => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: waiting lets some be given back.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Without it small answers wait for the client's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let service = router.clone().layer(Extension(Peer(peer.ip())));
        let connection =
            server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection");
            }
        });
    }
    drop(listener);
    let left = STOP.saturating_sub(app.config.drain);
    if tokio::time::timeout(left, graceful.shutdown()).await.is_err() {
        tracing::warn!("stopped with requests unfinished");
    }
    Ok(())
}

/// Both families where the machine has both.
async fn listen(port: u16) -> std::io::Result<TcpListener> {
    match TcpListener::bind(SocketAddr::from(([0u16; 8], port))).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], port))).await,
    }
}
