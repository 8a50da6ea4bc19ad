//! The way from a server under test to the API server, on which watches can be late, and requests and their answers.
//!
//! It listens on loopback in plain HTTP, forwards each request over TLS with the headers it came with (so with
//! the bearer token of the server's own `ServiceAccount`), and holds back what a watch sends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::header::HOST;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_rustls::TlsConnector;

use super::access::{Access, kubeconfig};
use super::patches::Patches;
use super::{background, ports, random};

type Problem = Box<dyn std::error::Error + Send + Sync>;
type Body = BoxBody<Bytes, hyper::Error>;
type Event = Result<Frame<Bytes>, hyper::Error>;

/// How late a watch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchDelay {
    None,
    /// Everything comes this much later.
    Fixed(Duration),
    /// Each batch comes later by its own random time up to this. What arrives while a batch is held leaves
    /// with it, so the delays are spread evenly and the order stays.
    UpTo(Duration),
    /// Nothing comes until this changes.
    Hold,
}

impl WatchDelay {
    fn draw(self) -> Option<Duration> {
        match self {
            Self::None => Some(Duration::ZERO),
            Self::Fixed(delay) => Some(delay),
            Self::UpTo(most) => Some(most.mul_f64(random::share())),
            Self::Hold => None,
        }
    }
}

/// A proxy in front of one API server.
pub struct Proxy {
    address: SocketAddr,
    delay: watch::Sender<WatchDelay>,
    jitter: watch::Sender<Duration>,
    patches: Patches,
    cut: watch::Sender<bool>,
    turned_away: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts one; it ends with the process.
    pub async fn start(access: &Access) -> Self {
        let listener = loop {
            // Bound on the runtime that it is used on; tried again when somebody else took the port.
            let bound = background::spawn(TcpListener::bind(ports::free())).await.expect("no panic");
            if let Ok(listener) = bound {
                break listener;
            }
        };
        let address = listener.local_addr().expect("an address");
        let (delay, cut) = (watch::Sender::new(WatchDelay::None), watch::Sender::new(false));
        let (jitter, patches) = (watch::Sender::new(Duration::ZERO), Patches::default());
        let upstream = Upstream::new(access, delay.subscribe(), jitter.subscribe(), patches.clone());
        let mut cuts = cut.subscribe();
        let turned_away = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&turned_away);
        background::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if *cuts.borrow_and_update() {
                    count.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                let (upstream, mut cut) = (upstream.clone(), cuts.clone());
                background::spawn(async move {
                    tokio::select! {
                        () = upstream.serve(stream) => {}
                        _ = cut.wait_for(|cut| *cut) => {}
                    }
                });
            }
        });
        Self { address, delay, jitter, patches, cut, turned_away }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn server(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A kubeconfig that leads through it.
    pub fn kubeconfig(&self, token: &str) -> serde_json::Value {
        kubeconfig(&self.server(), None, token)
    }

    /// Makes watches late, also those that are already there.
    pub fn delay_watches(&self, delay: WatchDelay) {
        self.delay.send_replace(delay);
    }

    /// Makes each request that is no watch, and each answer to one, come later by its own random time up to this.
    pub fn jitter_requests(&self, most: Duration) {
        self.jitter.send_replace(most);
    }

    /// Patches of Secrets, which can be held up by themselves.
    pub fn patches(&self) -> &Patches {
        &self.patches
    }

    /// Cuts every connection and takes no new ones.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// How many connections were asked for in vain while it was cut.
    pub fn turned_away(&self) -> usize {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// Ends the cut.
    pub fn mend(&self) {
        self.cut.send_replace(false);
    }
}

#[derive(Clone)]
struct Upstream {
    address: SocketAddr,
    connector: TlsConnector,
    delay: watch::Receiver<WatchDelay>,
    jitter: watch::Receiver<Duration>,
    patches: Patches,
}

impl Upstream {
    fn new(
        access: &Access,
        delay: watch::Receiver<WatchDelay>,
        jitter: watch::Receiver<Duration>,
        patches: Patches,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(access.authority.as_bytes()).expect("PEM");
        roots.add(authority).expect("a certificate authority");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = versions.expect("TLS 1.3").with_root_certificates(roots).with_no_client_auth();
        Self { address: access.address, connector: Arc::new(config).into(), delay, jitter, patches }
    }

    /// One connection of the server under test, with one to the API server behind it.
    async fn serve(self, stream: TcpStream) {
        let connection: Mutex<Option<SendRequest<Incoming>>> = Mutex::default();
        let service = service_fn(|request| async {
            let mut connection = connection.lock().await;
            let answer = self.forward(&mut connection, request).await;
            Ok::<_, std::convert::Infallible>(answer.unwrap_or_else(|problem| bad_gateway(&problem)))
        });
        // It ends when either side ends it; there is nobody to tell.
        let _ =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn forward(
        &self,
        connection: &mut Option<SendRequest<Incoming>>,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, Problem> {
        let watch = request
            .uri()
            .query()
            .is_some_and(|query| query.split('&').any(|pair| pair == "watch=true" || pair == "watch=1"));
        if Patches::are(&request) {
            self.patches.pass().await;
        }
        request.headers_mut().insert(HOST, HeaderValue::from_str(&self.address.to_string())?);
        let usable = match connection {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        if !usable {
            *connection = Some(self.connect().await?);
        }
        let sender = connection.as_mut().ok_or("no connection")?;
        if !watch {
            self.dawdle().await;
        }
        let answer = sender.send_request(request).await?;
        if !watch {
            self.dawdle().await;
            return Ok(answer.map(BodyExt::boxed));
        }
        let (release, released) = mpsc::channel(1);
        let (head, body) = answer.into_parts();
        background::spawn(hold_back(body, self.delay.clone(), release));
        let events = stream::unfold(released, |mut released: mpsc::Receiver<Event>| async {
            released.recv().await.map(|event| (event, released))
        });
        Ok(Response::from_parts(head, BodyExt::boxed(StreamBody::new(events))))
    }

    async fn dawdle(&self) {
        let most = *self.jitter.borrow();
        if !most.is_zero() {
            sleep(most.mul_f64(random::share())).await;
        }
    }

    async fn connect(&self) -> Result<SendRequest<Incoming>, Problem> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::from(self.address.ip());
        let stream = self.connector.connect(name, stream).await?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        background::spawn(connection);
        Ok(sender)
    }
}

fn bad_gateway(problem: &Problem) -> Response<Body> {
    let body =
        Full::from(format!("the proxy of the bench: {problem}")).map_err(|never| match never {}).boxed();
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::BAD_GATEWAY;
    answer
}

/// Passes a watch's frames on, later.
async fn hold_back(mut body: Incoming, mut delay: watch::Receiver<WatchDelay>, release: mpsc::Sender<Event>) {
    let mut ended = false;
    while !ended {
        let mut batch = tokio::select! {
            frame = body.frame() => match frame {
                Some(frame) => vec![frame],
                None => return,
            },
            () = release.closed() => return,
        };
        let arrived = Instant::now();
        let mut held = delay.borrow_and_update().draw();
        loop {
            let until = arrived + held.unwrap_or(Duration::ZERO);
            tokio::select! {
                biased;
                () = release.closed() => return,
                changed = delay.changed() => {
                    if changed.is_err() { return }
                    held = delay.borrow_and_update().draw();
                }
                () = sleep_until(until), if held.is_some() => break,
                frame = body.frame(), if !ended => match frame {
                    Some(frame) => batch.push(frame),
                    None => ended = true,
                },
            }
        }
        for frame in batch {
            if release.send(frame).await.is_err() {
                return;
            }
        }
    }
}
