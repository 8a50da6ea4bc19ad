//! What the tests share: certificates, a mounted Secret, a running server, and a client that writes what it likes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use prometheus::{Registry, TextEncoder};
use regcred::server::{
    Deadline, Ended, Identity, Limits, Readiness, ReviewRoutes, ServeError, Server, Settings, Shutdown,
    StartError, admin,
};
use regcred::telemetry::metrics::ServerMetrics;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) use crate::harness::certificates::{Authority, Leaf};
use crate::harness::projected_secret::ProjectedSecret;

pub(crate) const NAME: &str = "regcred.regcred-system.svc";

/// A certificate for the name that the API server calls.
pub(crate) fn issue(authority: &Authority) -> Leaf {
    authority.leaf(&[NAME])
}

/// One that is valid until that year begins.
pub(crate) fn issue_until(authority: &Authority, year: i32) -> Leaf {
    authority.leaf_with(&[NAME], |parameters| parameters.not_after = rcgen::date_time_ymd(year, 1, 1))
}

/// One that is valid for so long from now, to the second.
pub(crate) fn issue_for(authority: &Authority, time: Duration) -> Leaf {
    let until = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + time;
    authority.leaf_with(&[NAME], |parameters| parameters.not_after = rcgen::date_time_ymd(1970, 1, 1) + until)
}

/// A client that trusts this authority and offers these protocols.
pub(crate) fn trusting(authority: &Authority, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    trusting_pem(&authority.pem(), protocols)
}

/// The same of an authority's certificate.
pub(crate) fn trusting_pem(authority: &str, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(der(authority)).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

/// The certificate in a PEM text.
pub(crate) fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// A mounted Secret that goes with the test.
pub(crate) struct Mounted {
    pub(crate) secret: ProjectedSecret,
    _directory: TempDir,
}

impl Mounted {
    pub(crate) fn new(leaf: &Leaf) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { secret: ProjectedSecret::mount(directory.path().join("tls"), leaf), _directory: directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.secret.folder()
    }
}

/// How a test's server differs from the real one.
pub(crate) struct Options {
    pub(crate) limits: Limits,
    pub(crate) poll: Duration,
    pub(crate) drain_pause: Duration,
    pub(crate) drain_timeout: Duration,
    /// Adds to the handlers that all have.
    pub(crate) more_routes: fn(ReviewRoutes, &Readiness) -> ReviewRoutes,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            // So long that a test which sees a change in time has seen the watch at work.
            poll: Duration::from_mins(10),
            drain_pause: Duration::from_millis(300),
            drain_timeout: Duration::from_secs(10),
            more_routes: |routes, _| routes,
        }
    }
}

/// A server running in the test's own process.
pub(crate) struct TestServer {
    pub(crate) webhook: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) readiness: Readiness,
    pub(crate) shutdown: Shutdown,
    pub(crate) identity: Identity,
    registry: Registry,
    running: JoinHandle<Result<Ended, ServeError>>,
}

impl TestServer {
    /// With handlers that show what the server gives them.
    pub(crate) async fn start(directory: &Path, options: Options) -> Self {
        Self::try_start(directory, options).await.unwrap()
    }

    pub(crate) async fn try_start(directory: &Path, options: Options) -> Result<Self, StartError> {
        Self::begin(Some(directory.to_owned()), options).await
    }

    /// One to which the test brings the certificate.
    pub(crate) async fn start_without_files() -> Self {
        Self::begin(None, Options::default()).await.unwrap()
    }

    async fn begin(tls_directory: Option<PathBuf>, options: Options) -> Result<Self, StartError> {
        let registry = Registry::new();
        let metrics = ServerMetrics::register(&registry).unwrap();
        let readiness = Readiness::new();
        let settings = Settings {
            listen: "127.0.0.1:0".parse().unwrap(),
            admin_listen: "127.0.0.1:0".parse().unwrap(),
            tls_directory,
            tls_poll_interval: options.poll,
            drain_pause: options.drain_pause,
            drain_timeout: options.drain_timeout,
        };
        let routes = handlers(&options.limits, metrics.clone());
        let routes = (options.more_routes)(routes, &readiness).into_router();
        let server = Server::bind(&settings, options.limits, readiness.clone(), metrics).await?;
        let (webhook, admin, shutdown) = (server.webhook_address(), server.admin_address(), Shutdown::new());
        let identity = server.identity();
        let admin_routes = admin::router(readiness.clone(), registry.clone());
        let running = tokio::spawn(server.run(routes, admin_routes, shutdown.clone()));
        Ok(Self { webhook, admin, readiness, shutdown, identity, registry, running })
    }

    pub(crate) async fn ended(self) -> Ended {
        self.running.await.unwrap().unwrap()
    }

    /// The value of a metric, by its name with labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let line =
            text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        line.unwrap_or_else(|| panic!("no metric {name} in\n{text}"))
            .rsplit(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// Waits until a metric has a value.
    pub(crate) async fn metric_becomes(&self, name: &str, value: f64) {
        eventually(&format!("{name} is {value}"), || (self.metric(name) - value).abs() < 0.5).await;
    }
}

fn handlers(limits: &Limits, metrics: ServerMetrics) -> ReviewRoutes {
    let length = |body: Bytes, _: Deadline| async move { body.len().to_string().into_response() };
    let deadline = |_: Bytes, deadline: Deadline| async move {
        deadline.remaining().as_millis().to_string().into_response()
    };
    let slow = |_: Bytes, _: Deadline| async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        "slow".into_response()
    };
    let stuck = |_: Bytes, _: Deadline| std::future::pending::<Response>();
    let panics = |body: Bytes, _: Deadline| async move {
        assert!(!body.is_empty(), "the test's own panic");
        "no panic".into_response()
    };
    ReviewRoutes::new(limits, metrics)
        .route("/length", length)
        .route("/deadline", deadline)
        .route("/slow", slow)
        .route("/stuck", stuck)
        .route("/panics", panics)
}

/// Waits until something holds, which must not take long.
pub(crate) async fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not within 10 s: {what}");
}

/// A TLS connection on which a test writes bytes as it likes.
pub(crate) async fn connect(
    address: SocketAddr,
    config: Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(config).connect(ServerName::try_from(NAME).unwrap(), stream).await
}

/// The certificate that a new connection is shown.
pub(crate) async fn served(address: SocketAddr, authority: &Authority) -> CertificateDer<'static> {
    let stream = connect(address, trusting(authority, &[b"http/1.1"])).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

/// An answer as read from the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }
}

/// Reads one answer; the tests' answers all have a length.
pub(crate) async fn read_answer(stream: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<Answer> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut answer = Answer { status: head[9..12].parse().unwrap(), head, body: String::new() };
    let length: usize = answer.header("content-length").unwrap_or("0").parse().unwrap();
    let mut body = bytes.split_off(end);
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    answer.body = String::from_utf8(body).unwrap();
    Ok(answer)
}

/// The header of a review; its body is the test's.
pub(crate) fn post(path: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {NAME}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// Sends bytes and reads the answer to them.
pub(crate) async fn exchange(stream: &mut TlsStream<TcpStream>, request: &[u8]) -> std::io::Result<Answer> {
    stream.write_all(request).await?;
    stream.flush().await?;
    read_answer(stream).await
}

/// One request over plain HTTP, on a connection of its own.
pub(crate) async fn plain(address: SocketAddr, method: &str, path: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    read_answer(&mut stream).await.unwrap()
}
