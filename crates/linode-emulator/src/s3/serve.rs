//! S3 over HTTP: the faults that are asked for, then the service. To them its paths are below `/s3`.

use super::{Conditions, service};
use crate::app::App;
use crate::fault::What;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper::{Request, Response};
use s3s::service::S3Service;
use s3s::{Body, HttpError, S3Error, s3_error};
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

/// Below the state.
const FOLDER: &str = "objects";

#[derive(Clone)]
pub struct S3 {
    app: Arc<App>,
    service: S3Service,
}

impl S3 {
    /// # Errors
    /// The folder of the objects cannot be used.
    pub async fn open(
        app: &Arc<App>,
        state: &Path,
        name: &str,
        conditions: Conditions,
    ) -> io::Result<Self> {
        let service = service(app, &state.join(FOLDER), name, conditions).await?;
        Ok(Self { app: Arc::clone(app), service })
    }
}

impl Service<Request<Incoming>> for S3 {
    type Response = Response<Body>;
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, HttpError>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (app, service) = (Arc::clone(&self.app), self.service.clone());
        Box::pin(async move {
            let path = format!("/s3{}", request.uri().path());
            let fault = app.options.faults.strike(request.method().as_str(), &path);
            match fault {
                None => Service::call(&service, request).await,
                Some(What::Lost) => {
                    // What it does not read to the end, it does not do.
                    drop(Service::call(&service, request).await?);
                    Err(cut_off())
                }
                Some(What::Timeout) => {
                    tokio::time::sleep(app.options.timeout).await;
                    Err(cut_off())
                }
                Some(what) => {
                    let refused = refusal(what).to_http_response();
                    refused.map_err(|error| HttpError::new(Box::new(error)))
                }
            }
        })
    }
}

/// The server ends a connection without an answer for it.
fn cut_off() -> HttpError {
    HttpError::new(Box::new(io::Error::from(io::ErrorKind::ConnectionAborted)))
}

fn refusal(what: What) -> S3Error {
    match what {
        What::TooMany | What::Busy => s3_error!(SlowDown),
        What::Unavailable => s3_error!(ServiceUnavailable),
        What::RequestTimeout => s3_error!(RequestTimeout),
        What::Internal | What::Timeout | What::Lost => s3_error!(InternalError),
    }
}
