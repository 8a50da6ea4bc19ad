//! Sends reviews as the API server does: over a pool of keep-alive connections, without a second try.
//!
//! Open loop: requests begin when they are due, however long those before them take, and latency counts from
//! that moment. So a server that stalls cannot hide it by slowing its clients.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// The idle connections that the API server keeps for each webhook.
pub(crate) const CONNECTIONS: usize = 25;

/// No webhook may take longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Where and what to send.
pub(crate) struct Target {
    /// Chooses the address of each new connection, as the cluster's network does.
    pub(crate) address: Box<dyn Fn() -> SocketAddr + Send + Sync>,
    pub(crate) server_name: ServerName<'static>,
    pub(crate) tls: Arc<rustls::ClientConfig>,
    pub(crate) path: String,
    pub(crate) body: Bytes,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) answered: usize,
    /// Anything but a whole 200, in words.
    pub(crate) failures: Vec<String>,
    pub(crate) connections_made: usize,
    pub(crate) elapsed: Duration,
    latencies: Vec<Duration>,
}

impl Report {
    /// The latency that this share of requests (0.99 for p99) does not exceed.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let index = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
        sorted.get(index).copied().unwrap_or_default()
    }

    pub(crate) fn per_second(&self) -> f64 {
        #[allow(clippy::cast_precision_loss)]
        let answered = self.answered as f64;
        answered / self.elapsed.as_secs_f64()
    }

    fn add(&mut self, outcome: Result<Duration, String>) {
        match outcome {
            Ok(latency) => {
                self.answered += 1;
                self.latencies.push(latency);
            }
            Err(failure) => self.failures.push(failure),
        }
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{} answered, {} failed, {:.0}/s{}, p50 {:?}, p99 {:?}, max {:?}",
            self.answered,
            self.failures.len(),
            self.per_second(),
            match self.connections_made {
                0 => String::new(),
                made => format!(" over {made} connections"),
            },
            self.percentile(0.5),
            self.percentile(0.99),
            self.percentile(1.0),
        )?;
        match self.failures.first() {
            Some(first) => write!(out, "; first failure: {first}"),
            None => Ok(()),
        }
    }
}

/// The client: a pool that forgets connections which are closed or announced to be.
pub(crate) struct Client {
    target: Target,
    idle: Mutex<VecDeque<SendRequest<Full<Bytes>>>>,
    made: std::sync::atomic::AtomicUsize,
}

impl Client {
    pub(crate) fn new(target: Target) -> Arc<Self> {
        Arc::new(Self { target, idle: Mutex::default(), made: std::sync::atomic::AtomicUsize::new(0) })
    }

    /// Opens the pool's connections ahead of the load.
    pub(crate) async fn warm(&self) {
        for _ in 0..CONNECTIONS {
            let connection = self.connect().await.expect("a connection for the load");
            self.keep(connection);
        }
    }

    /// The target's own request, tried once. The whole answer, if it is a 200.
    pub(crate) async fn send(self: &Arc<Self>) -> Result<Bytes, String> {
        self.post(self.target.body.clone()).await
    }

    /// A request with this body, tried once. The whole answer, if it is a 200.
    pub(crate) async fn post(self: &Arc<Self>, body: Bytes) -> Result<Bytes, String> {
        let sent = async {
            let mut connection = match self.take() {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            let answer = connection
                .send_request(self.request(body))
                .await
                .map_err(|error| format!("no answer: {error:?}"))?;
            let (status, closes) = (answer.status(), announces_close(&answer));
            let body =
                answer.into_body().collect().await.map_err(|error| format!("cut answer: {error:?}"))?;
            if closes {
                self.replace();
            } else {
                self.keep(connection);
            }
            if status == StatusCode::OK { Ok(body.to_bytes()) } else { Err(format!("status {status}")) }
        };
        tokio::time::timeout(REQUEST_TIMEOUT, sent)
            .await
            .unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }

    /// Keeps the pool full beside the requests, so that many connections see what happens to the server.
    fn replace(self: &Arc<Self>) {
        let client = Arc::clone(self);
        tokio::spawn(async move {
            // Where none can be made now, the next request makes its own and fails if it cannot.
            if let Ok(connection) = client.connect().await {
                client.keep(connection);
            }
        });
    }

    fn request(&self, body: Bytes) -> Request<Full<Bytes>> {
        Request::post(&self.target.path)
            .header(header::HOST, "regcred.regcred-system.svc:443")
            .header(header::USER_AGENT, "kube-apiserver-admission")
            .header(header::ACCEPT, "application/json, */*")
            .header(header::ACCEPT_ENCODING, "gzip")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .expect("a request")
    }

    /// The connection that was idle longest: so that all of them are used, and the idle ones really idle.
    fn take(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.lock().expect("the pool");
        loop {
            let connection = idle.pop_front()?;
            if connection.is_ready() {
                return Some(connection);
            }
        }
    }

    fn keep(&self, connection: SendRequest<Full<Bytes>>) {
        let mut idle = self.idle.lock().expect("the pool");
        if idle.len() < CONNECTIONS {
            idle.push_back(connection);
        }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let address = (self.target.address)();
        self.made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| format!("cannot connect to {address}: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let stream = TlsConnector::from(Arc::clone(&self.target.tls))
            .connect(self.target.server_name.clone(), stream)
            .await
            .map_err(|error| format!("no TLS with {address}: {error}"))?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| format!("no HTTP with {address}: {error}"))?;
        tokio::spawn(connection);
        Ok(sender)
    }

    /// How many connections it has asked for.
    pub(crate) fn made(&self) -> usize {
        self.made.load(std::sync::atomic::Ordering::Relaxed)
    }
}

fn announces_close(answer: &Response<Incoming>) -> bool {
    answer.headers().get(header::CONNECTION).is_some_and(|value| value == "close")
}

/// Open loop: so many requests a second until `enough` says so (it is told how many were begun).
pub(crate) async fn at_rate(client: &Arc<Client>, per_second: u32, enough: impl Fn(usize) -> bool) -> Report {
    let send = |_| {
        let client = Arc::clone(client);
        async move { client.send().await.map(drop) }
    };
    let mut report = paced(per_second, enough, send).await;
    report.connections_made = client.made();
    report
}

/// Open loop of anything; each is told its number.
pub(crate) async fn paced<F>(
    per_second: u32,
    enough: impl Fn(usize) -> bool,
    work: impl Fn(usize) -> F,
) -> Report
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let (mut report, mut running) = (Report::default(), JoinSet::new());
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
    let mut count = 0;
    while !enough(count) {
        let due = ticks.tick().await.into_std();
        let one = work(count);
        running.spawn(async move { one.await.map(|()| due.elapsed()) });
        count += 1;
        while let Some(outcome) = running.try_join_next() {
            report.add(outcome.expect("a request's task"));
        }
    }
    while let Some(outcome) = running.join_next().await {
        report.add(outcome.expect("a request's task"));
    }
    report.elapsed = begun.elapsed();
    report
}

/// Closed loop: as many requests as 25 connections can carry, one after the other on each.
pub(crate) async fn saturating(client: &Arc<Client>, time: Duration) -> Report {
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let client = Arc::clone(client);
        running.spawn(async move {
            let mut report = Report::default();
            while begun.elapsed() < time {
                let sent = Instant::now();
                report.add(client.send().await.map(|_| sent.elapsed()));
            }
            report
        });
    }
    let mut report = Report::default();
    while let Some(part) = running.join_next().await {
        let part = part.expect("a worker");
        report.answered += part.answered;
        report.failures.extend(part.failures);
        report.latencies.extend(part.latencies);
    }
    report.elapsed = begun.elapsed();
    report.connections_made = client.made();
    report
}
