//! Accepting connections, plain or TLS, until the program is told to stop.

mod answer;
mod tls;

pub use tls::{TlsError, config as tls};

use crate::app::App;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// For requests that are under way when the end comes.
const STOP: Duration = Duration::from_secs(5);

/// Serves until `stop` resolves.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    stop: impl Future<Output = ()>,
) {
    let router = answer::router(app);
    let graceful = Arc::new(GracefulShutdown::new());
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors, most likely: waiting lets some be given back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Without it small answers wait for the client's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let (router, watcher) = (router.clone(), graceful.watcher());
        match tls.clone() {
            None => drop(tokio::spawn(connection(stream, router, watcher))),
            Some(tls) => drop(tokio::spawn(async move {
                if let Ok(stream) = tls.accept(stream).await {
                    connection(stream, router, watcher).await;
                }
            })),
        }
    }
    drop(listener);
    if let Some(graceful) = Arc::into_inner(graceful) {
        let _ = tokio::time::timeout(STOP, graceful.shutdown()).await;
    }
}

/// A connection that breaks is its client's business.
async fn connection<S>(
    stream: S,
    router: axum::Router,
    watcher: hyper_util::server::graceful::Watcher,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(router);
    let server = hyper::server::conn::http1::Builder::new();
    let _ = watcher.watch(server.serve_connection(TokioIo::new(stream), service)).await;
}
