//! What the server costs: its throughput and latency against a bare server of the same stack that answers a
//! constant, over 25 keep-alive connections, and the cost of deciding one review.
//!
//! The last line is JSON: `throughput_ratio`, `p99_ratio`, `decide_us`. Client and servers share this machine's
//! cores and one runtime, so what the server does more shows as less throughput.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs
)]

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use prometheus::Registry;
use rcgen::{CertificateParams, KeyPair};
use regcred::policy::Rule;
use regcred::server::{Deadline, Limits, Readiness, ReviewRoutes, Server, Settings, Shutdown, admin};
use regcred::telemetry::metrics::ServerMetrics;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

#[path = "../../tests/harness/load.rs"]
#[allow(dead_code, reason = "each user of the load generator uses its part of it")]
mod load;

mod reviews;

use load::{Client, Report, Target, saturating};

const NAME: &str = "regcred.regcred-system.svc";
const PATH: &str = "/mutate/pods";

/// Rounds of both servers, one right after the other; each gives a ratio, and the median of the ratios counts.
/// Many short rounds, so that what else the machine does meets both alike.
const ROUNDS: usize = 41;
const ROUND: Duration = Duration::from_millis(400);

/// An answer of the usual size.
const ANSWER: &[u8] = br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002","allowed":true}}"#;

#[tokio::main]
async fn main() {
    // `cargo test --all-targets` runs this program as well; then it only shows that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![NAME.to_owned()]).unwrap().self_signed(&key).unwrap();
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("tls.crt"), certificate.pem()).unwrap();
    fs::write(directory.path().join("tls.key"), key.serialize_pem()).unwrap();

    let bare = client(bare_server(certificate.der().clone(), &key).await, certificate.der());
    let ours = client(our_server(directory.path()).await, certificate.der());
    let (mut throughput, mut p99, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    let mut both = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        let (of_bare, cpu_of_bare) = measured(&bare).await;
        let (of_ours, cpu_of_ours) = measured(&ours).await;
        assert!(of_bare.failures.is_empty() && of_ours.failures.is_empty(), "{of_bare}\n{of_ours}");
        // The first round opens the connections and warms the caches.
        if round > 0 {
            throughput.push(of_ours.per_second() / of_bare.per_second());
            p99.push(p99_us(&of_ours) / p99_us(&of_bare));
            cpu.push(cpu_of_ours / cpu_of_bare);
            both[0].push(of_bare);
            both[1].push(of_ours);
        }
    }

    for (name, reports) in ["bare", "ours"].iter().zip(&both) {
        let median_of = |value: fn(&Report) -> f64| median(reports.iter().map(value).collect());
        println!(
            "{name}: {:.0}/s, p50 {:.0} us, p99 {:.0} us (medians of {ROUNDS} rounds)",
            median_of(Report::per_second),
            median_of(|report| report.percentile(0.5).as_secs_f64() * 1e6),
            median_of(p99_us),
        );
    }
    let (throughput_ratio, p99_ratio) = (median(throughput), median(p99));
    let decide_us = reviews::decide_us();
    println!(
        "throughput {:.1} % of the bare server's, p99 {p99_ratio:.2} times its p99; client and server together \
         take {:.2} times the processor time per review; {decide_us:.1} us to decode and decide one",
        throughput_ratio * 100.0,
        median(cpu),
    );
    println!(
        "{}",
        serde_json::json!({ "throughput_ratio": throughput_ratio, "p99_ratio": p99_ratio, "decide_us": decide_us })
    );
}

/// One round, and the processor time that client and server took for each review, in ticks.
async fn measured(client: &Arc<Client>) -> (Report, f64) {
    let before = processor_ticks();
    let report = saturating(client, ROUND).await;
    let ticks = processor_ticks() - before;
    #[allow(clippy::cast_precision_loss)]
    let per_review = ticks as f64 / report.answered as f64;
    (report, per_review)
}

/// What this process has used, in the kernel's ticks: unlike throughput it hardly depends on what else runs.
fn processor_ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// What our server answers with: the decision about a pod that gets its pull Secret.
fn routes(limits: &Limits, metrics: ServerMetrics) -> Router {
    let reviewer = reviews::reviewer();
    let answer = move |body: Bytes, deadline: Deadline| {
        let reviewer = reviewer.clone();
        async move { reviewer.answer(Rule::Inject, body, deadline).await }
    };
    ReviewRoutes::new(limits, metrics).route(PATH, answer).into_router()
}

async fn our_server(directory: &std::path::Path) -> SocketAddr {
    let registry = Registry::new();
    let metrics = ServerMetrics::register(&registry).unwrap();
    // Connections are renewed as in a cluster: that is part of the cost.
    let limits = Limits::default();
    let settings = Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        admin_listen: "127.0.0.1:0".parse().unwrap(),
        tls_directory: Some(directory.to_owned()),
        tls_poll_interval: Duration::from_secs(30),
        drain_pause: Duration::ZERO,
        drain_timeout: Duration::ZERO,
    };
    let readiness = Readiness::new();
    let server = Server::bind(&settings, limits.clone(), readiness.clone(), metrics.clone()).await.unwrap();
    let address = server.webhook_address();
    tokio::spawn(server.run(routes(&limits, metrics), admin::router(readiness, registry), Shutdown::new()));
    address
}

/// The least that a server of this stack does: accept, TLS, HTTP/1, read the body, answer.
async fn bare_server(certificate: CertificateDer<'static>, key: &KeyPair) -> SocketAddr {
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await.unwrap();
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(constant));
                let _ = connection.await;
            });
        }
    });
    address
}

async fn constant(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let _ = request.into_body().collect().await;
    let answer = Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from_static(ANSWER)))
        .unwrap();
    Ok(answer)
}

fn client(address: SocketAddr, certificate: &CertificateDer<'static>) -> Arc<Client> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Client::new(Target {
        address: Box::new(move || address),
        server_name: ServerName::try_from(NAME).unwrap(),
        tls: Arc::new(tls),
        path: format!("{PATH}?timeout=3s"),
        body: reviews::body(),
    })
}

fn p99_us(report: &Report) -> f64 {
    report.percentile(0.99).as_secs_f64() * 1e6
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
