//! The cluster's network, as far as the API server uses it: the way from a Service's address to the servers
//! behind it.
//!
//! The API server's egress selector sends each connection to a Service through a Unix socket, as an HTTP CONNECT
//! to the Service's address. Here it is joined to a local server that the test put behind that Service, so
//! webhooks are registered by Service as in any cluster, and TLS runs end to end.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Service as ServiceObject;
use kube::Api;
use kube::api::ListParams;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::sleep;

use super::access::Access;
use super::relay;
use super::users::User;
use super::{background, ports};

/// For how long the answer to "whose address is this?" is used again: many connections at once ask the API
/// server once, and a Service that is made anew is found at its new address.
const LOOKUP_LIFETIME: Duration = Duration::from_secs(2);
/// A CONNECT's head is one line and a host header.
const HEAD_LIMIT: usize = 8 * 1024;

/// What the way to a backend is like, for new connections and for those that are already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing in the way.
    Open,
    /// Connections are refused, existing ones cut.
    Refused,
    /// Nothing arrives and nobody says so, until the mode changes.
    BlackHole,
    /// Each direction takes this much longer.
    Slow { to_server: Duration, to_client: Duration },
    /// What is sent takes longer by its own random time up to this, in each direction.
    Jitter { most: Duration },
}

/// One server behind a Service.
pub struct Backend {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    /// Counts up whenever the connections of that moment are cut.
    cuts: watch::Sender<usize>,
    made: AtomicUsize,
}

impl Backend {
    /// The server at this address, with nothing in the way.
    pub fn new(address: SocketAddr) -> Arc<Self> {
        let (mode, cuts) = (watch::Sender::new(Mode::Open), watch::Sender::new(0));
        Arc::new(Self { address, mode, cuts, made: AtomicUsize::new(0) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the way to it.
    pub fn set_mode(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Cuts the connections there are; new ones are made as the mode says.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// How many connections to it have been asked for.
    pub fn connections(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    async fn connect(&self) -> io::Result<Way> {
        self.made.fetch_add(1, Ordering::Relaxed);
        let mut mode = self.mode.subscribe();
        let mut cuts = self.cuts.subscribe();
        cuts.mark_unchanged();
        let arrived = *mode.wait_for(|mode| *mode != Mode::BlackHole).await.map_err(io::Error::other)?;
        match arrived {
            Mode::Refused => return Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
            Mode::Slow { to_server, to_client } => sleep(to_server + to_client).await,
            Mode::Open | Mode::Jitter { .. } | Mode::BlackHole => {}
        }
        let server = TcpStream::connect(self.address).await?;
        server.set_nodelay(true)?;
        Ok(Way { server, cuts })
    }

    async fn relay(&self, client: impl AsyncRead + AsyncWrite, early: Vec<u8>, way: Way) -> io::Result<()> {
        let Way { server, mut cuts } = way;
        let mut refused = self.mode.subscribe();
        tokio::select! {
            done = relay::join(client, server, early, &self.mode) => done,
            _ = refused.wait_for(|mode| *mode == Mode::Refused) => Ok(()),
            _ = cuts.changed() => Ok(()),
        }
    }
}

/// A connection to a backend, and when it is cut.
struct Way {
    server: TcpStream,
    cuts: watch::Receiver<usize>,
}

/// A port of a Service, and what is behind it.
#[derive(Default)]
pub struct Service {
    backends: Mutex<Vec<Arc<Backend>>>,
    next: AtomicUsize,
}

impl Service {
    /// What new connections go to, in turn. Existing connections stay, as a cluster's do when an endpoint is
    /// taken away; with none, new connections are refused.
    pub fn set_backends(&self, backends: Vec<Arc<Backend>>) {
        *self.backends.lock().expect("no holder panics") = backends;
    }

    /// What is behind it now.
    pub fn backends(&self) -> Vec<Arc<Backend>> {
        self.backends.lock().expect("no holder panics").clone()
    }

    fn pick(&self) -> Option<Arc<Backend>> {
        let backends = self.backends.lock().expect("no holder panics");
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        backends.get(turn % backends.len().max(1)).cloned()
    }
}

/// An address that leads to what is behind a Service, from outside of the cluster: a load balancer's.
pub struct Front {
    address: SocketAddr,
}

impl Front {
    /// Listens on a port of its own; it ends with the process.
    pub async fn start(service: Arc<Service>) -> Self {
        let listener = loop {
            // Bound on the runtime that it is used on; tried again when somebody else took the port.
            let bound = background::spawn(TcpListener::bind(ports::free())).await.expect("no panic");
            if let Ok(listener) = bound {
                break listener;
            }
        };
        let address = listener.local_addr().expect("an address");
        background::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Some(backend) = service.pick() else { continue };
                background::spawn(async move {
                    client.set_nodelay(true)?;
                    let way = backend.connect().await?;
                    backend.relay(client, Vec::new(), way).await
                });
            }
        });
        Self { address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

type Name = (String, String);

struct Inner {
    services: Mutex<HashMap<(Name, u16), Arc<Service>>>,
    lookup: tokio::sync::Mutex<Option<(Instant, HashMap<String, Name>)>>,
    access: Access,
}

/// The network of one control plane.
pub struct Network {
    inner: Arc<Inner>,
}

impl Network {
    /// Listens at the socket that the API server's egress configuration names.
    pub fn start(socket: &Path, access: Access) -> Self {
        let listener = std::os::unix::net::UnixListener::bind(socket).expect("the egress socket");
        listener.set_nonblocking(true).expect("a socket that does not block");
        let inner =
            Arc::new(Inner { services: Mutex::default(), lookup: tokio::sync::Mutex::default(), access });
        let network = Arc::downgrade(&inner);
        background::spawn(async move {
            let listener = UnixListener::from_std(listener).expect("a socket");
            // Ends with the first connection after the control plane was dropped; nobody makes one then.
            while let (Ok((stream, _)), Some(network)) = (listener.accept().await, network.upgrade()) {
                background::spawn(async move {
                    // The other side's end is what ends most connections; there is nobody to tell.
                    let _ = network.join(stream).await;
                });
            }
        });
        Self { inner }
    }

    /// The Service of this namespace, name and port. It need not exist yet; its address is looked up when the
    /// API server connects to it.
    pub fn service(&self, namespace: &str, name: &str, port: u16) -> Arc<Service> {
        let key = ((namespace.to_owned(), name.to_owned()), port);
        Arc::clone(self.inner.services.lock().expect("no holder panics").entry(key).or_default())
    }
}

impl Inner {
    async fn join(&self, mut stream: UnixStream) -> io::Result<()> {
        let Some((target, rest)) = read_connect(&mut stream).await? else {
            return stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        };
        let Some(backend) = self.backend(&target).await else {
            return refuse(&mut stream, &format!("nothing is behind {target}")).await;
        };
        let way = match backend.connect().await {
            Ok(way) => way,
            Err(error) => return refuse(&mut stream, &error.to_string()).await,
        };
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
        backend.relay(stream, rest, way).await
    }

    /// The server for a CONNECT to `host:port`.
    async fn backend(&self, target: &str) -> Option<Arc<Backend>> {
        let (host, port) = target.rsplit_once(':')?;
        let port = port.parse().ok()?;
        let name = match host.strip_suffix(".svc").and_then(|host| host.split_once('.')) {
            Some((name, namespace)) => (namespace.to_owned(), name.to_owned()),
            None => self.service_at(host).await?,
        };
        let service = self.services.lock().expect("no holder panics").get(&(name, port)).cloned();
        service?.pick()
    }

    /// Whose cluster address this is.
    async fn service_at(&self, address: &str) -> Option<Name> {
        let mut lookup = self.lookup.lock().await;
        if let Some((asked, names)) = lookup.as_ref()
            && asked.elapsed() < LOOKUP_LIFETIME
            && let Some(name) = names.get(address)
        {
            return Some(name.clone());
        }
        let objects: Api<ServiceObject> = Api::all(self.access.client(User::Admin).await);
        let answer = objects.list(&ListParams::default()).await.ok()?;
        let addresses = answer.items.into_iter().filter_map(|service| {
            let address = service.spec?.cluster_ip?;
            Some((address, (service.metadata.namespace?, service.metadata.name?)))
        });
        let names: HashMap<String, Name> = addresses.collect();
        let found = names.get(address).cloned();
        *lookup = Some((Instant::now(), names));
        found
    }
}

async fn refuse(stream: &mut UnixStream, why: &str) -> io::Result<()> {
    let length = why.len();
    let answer =
        format!("HTTP/1.1 502 Bad Gateway\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{why}");
    stream.write_all(answer.as_bytes()).await
}

/// The target of a CONNECT, and what came after its head.
async fn read_connect(stream: &mut UnixStream) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut head = Vec::new();
    let end = loop {
        if let Some(end) = head.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
        if head.len() > HEAD_LIMIT || stream.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
    };
    let rest = head.split_off(end);
    let text = String::from_utf8_lossy(&head).into_owned();
    let target = text.strip_prefix("CONNECT ").and_then(|line| line.split(' ').next());
    Ok(target.map(|target| (target.to_owned(), rest)))
}
