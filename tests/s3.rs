//! A real S3 server on loopback: s3s has the protocol and checks every signature, s3s-fs keeps the
//! objects in a folder. s3s-fs alone looks whether an object is there and then writes it, so that two
//! creations at once both come through; here requests that change something wait for each other, which
//! is what services promise. A server can also be told not to.

use andamio_engine::{Access, Bucket, Secret, StatePlace, Store};
use async_trait::async_trait;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, GetObjectInput, GetObjectOutput, HeadObjectInput,
    HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput,
};
use s3s::service::S3ServiceBuilder;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::RwLock;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

pub(crate) const BUCKET: &str = "team-state";
const KEY: &str = "AKIATEST";
const SECRET: &str = "correct-horse-battery";

/// Between looking and writing, of a server that does the one after the other.
const GAP: Duration = Duration::from_millis(300);

/// What the server makes of `If-None-Match: *`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conditions {
    Kept,
    /// Looks, then writes: rivals come through, latecomers don't.
    Racy,
    Ignored,
}

pub(crate) struct Server {
    address: SocketAddr,
    folder: TempDir,
    lose: Arc<AtomicU32>,
    /// Dropped first, so that nothing is served while the folder goes.
    runtime: Option<Runtime>,
    /// Speaks TLS with a certificate that only this file vouches for.
    certificate: Option<PathBuf>,
}

struct Front {
    files: FileSystem,
    folder: PathBuf,
    conditions: Conditions,
    turn: RwLock<()>,
    /// This many creations are done and answered with an error.
    lose: Arc<AtomicU32>,
}

impl Server {
    pub(crate) fn start(conditions: Conditions) -> Self {
        Self::new(conditions, false)
    }

    pub(crate) fn start_tls() -> Self {
        Self::new(Conditions::Kept, true)
    }

    fn new(conditions: Conditions, tls: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let files = FileSystem::new(folder.path()).unwrap();
        let lose = Arc::new(AtomicU32::new(0));
        let front = Front {
            files,
            folder: folder.path().to_owned(),
            conditions,
            turn: RwLock::new(()),
            lose: Arc::clone(&lose),
        };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let mut builder = S3ServiceBuilder::new(front);
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = builder.build();
        let certificate = tls.then(|| folder.path().join("authority.pem"));
        let acceptor = certificate.as_deref().map(acceptor);
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (service, acceptor) = (service.clone(), acceptor.clone());
                tokio::spawn(async move {
                    let http = http1::Builder::new();
                    match acceptor {
                        None => drop(http.serve_connection(TokioIo::new(socket), service).await),
                        Some(acceptor) => {
                            if let Ok(socket) = acceptor.accept(socket).await {
                                drop(http.serve_connection(TokioIo::new(socket), service).await);
                            }
                        }
                    }
                });
            }
        });
        Self { address, folder, lose, runtime: Some(runtime), certificate }
    }

    /// From now on nobody answers there.
    pub(crate) fn stop(&mut self) {
        self.runtime.take();
    }

    /// The next creation is done, and its answer is lost.
    pub(crate) fn lose_an_answer(&self) {
        self.lose.store(1, Ordering::SeqCst);
    }

    pub(crate) fn answer_is_lost(&self) -> bool {
        self.lose.load(Ordering::SeqCst) == 0
    }

    pub(crate) fn endpoint(&self) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    pub(crate) fn certificate(&self) -> &Path {
        self.certificate.as_deref().expect("a server with TLS")
    }

    /// Where the server keeps the bucket's objects.
    pub(crate) fn objects(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    pub(crate) fn access(&self) -> Access {
        Access {
            endpoint: Some(self.endpoint()),
            key_id: Some(KEY.to_owned()),
            secret: Some(Secret(SECRET.to_owned())),
            ..Access::default()
        }
    }

    pub(crate) fn store(&self) -> Store {
        let bucket = Bucket::new(BUCKET, "shop", self.access()).unwrap();
        Store::open(&StatePlace::Bucket(bucket)).unwrap()
    }

    /// What a person sets before a command.
    pub(crate) fn set(&self, command: &mut Command) {
        command
            .env("AWS_ENDPOINT_URL", self.endpoint())
            .env("AWS_ACCESS_KEY_ID", KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET);
        unset(
            command,
            &["AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE"],
        );
    }
}

/// Makes a certificate for 127.0.0.1 and writes it to the file.
fn acceptor(file: &Path) -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(file, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

impl Front {
    fn has(&self, input: &PutObjectInput) -> bool {
        self.folder.join(&input.bucket).join(&input.key).exists()
    }
}

fn unset(command: &mut Command, variables: &[&str]) {
    for variable in variables {
        command.env_remove(variable);
    }
}

#[async_trait]
impl S3 for Front {
    async fn put_object(
        &self,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        if self.conditions == Conditions::Ignored {
            request.input.if_none_match = None;
        }
        if self.conditions == Conditions::Racy && request.input.if_none_match.take().is_some() {
            if self.has(&request.input) {
                return Err(s3_error!(PreconditionFailed));
            }
            // Long enough for everybody else to look as well.
            tokio::time::sleep(GAP).await;
        }
        let _turn = self.turn.write().await;
        let answer = self.files.put_object(request).await?;
        let lose = self.lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if lose.is_ok() { Err(s3_error!(InternalError, "the answer is lost")) } else { Ok(answer) }
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let _turn = self.turn.write().await;
        self.files.delete_object(request).await
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let _turn = self.turn.read().await;
        self.files.get_object(request).await
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let _turn = self.turn.read().await;
        self.files.head_object(request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let _turn = self.turn.read().await;
        self.files.list_objects_v2(request).await
    }
}
