//! A webhook that gives everything the same answer and counts, to try the way to it and to play other people's
//! webhooks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::certificates::Authority;
use super::control_plane::ControlPlane;
use super::network::Backend;
use super::{background, ports};

/// The shortest that the API server takes, in whole seconds.
pub const TIMEOUT: Duration = Duration::from_secs(1);
/// The longest that it takes.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A server that answers for one TLS name only.
pub struct DummyWebhook {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
    /// Whether answers are held back.
    held: Arc<watch::Sender<bool>>,
}

impl DummyWebhook {
    /// Starts one that a client must call by this name, and that allows everything.
    pub async fn start(authority: &Authority, name: &str) -> Self {
        Self::start_with(authority, name, json!({"allowed": true})).await
    }

    /// The same with any answer; the review's uid is added.
    pub async fn start_with(authority: &Authority, name: &str, answer: Value) -> Self {
        let leaf = authority.leaf(&[name]);
        let certificate = CertificateDer::from_pem_slice(leaf.certificate.as_bytes()).expect("PEM");
        let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).expect("PEM");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config =
            versions.expect("TLS 1.3").with_no_client_auth().with_single_cert(vec![certificate], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.expect("a pair that matches")));
        let listener = background::spawn(TcpListener::bind(ports::free())).await.expect("no panic");
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (calls, held) = (Arc::new(AtomicUsize::new(0)), Arc::new(watch::Sender::new(false)));
        let answers =
            Answers { calls: Arc::clone(&calls), held: Arc::clone(&held), answer: Arc::new(answer) };
        let name = name.to_owned();
        background::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                background::spawn(serve(acceptor.clone(), stream, name.clone(), answers.clone()));
            }
        });
        Self { address, calls, held }
    }

    /// The same behind a Service of this name, as a fail-closed webhook on what the rule names of the namespace. It is asked at the
    /// same time as others that change nothing, so what it holds back may have been admitted by all of them, and is stored only when
    /// it is let go, which must be within half a minute.
    pub async fn hold_up(control_plane: &ControlPlane, namespace: &str, name: &str, rule: &Value) -> Self {
        let authority = Authority::new(name);
        let webhook = Self::start(&authority, &format!("{name}.{namespace}.svc")).await;
        let backends = vec![Backend::new(webhook.address())];
        control_plane.network().service(namespace, name, 443).set_backends(backends);
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
            "spec": {"ports": [{"port": 443}]},
        });
        control_plane.apply(&service.to_string()).await;
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": format!("{name}-{namespace}")},
            "webhooks": [{
                "name": format!("{name}.bench.regcred.dev"),
                "admissionReviewVersions": ["v1"],
                "clientConfig": {
                    "service": {"name": name, "namespace": namespace, "path": "/", "port": 443},
                    "caBundle": BASE64_STANDARD.encode(authority.pem()),
                },
                "rules": [rule],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "sideEffects": "None",
                "timeoutSeconds": LONGEST_TIMEOUT.as_secs(),
            }],
        });
        control_plane.apply(&configuration.to_string()).await;
        webhook
    }

    /// From now on answers are held back, or given, also those that were held.
    pub fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many reviews it has been sent.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

/// What is answered. Clones share everything.
#[derive(Clone)]
struct Answers {
    calls: Arc<AtomicUsize>,
    held: Arc<watch::Sender<bool>>,
    answer: Arc<Value>,
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream, name: String, answers: Answers) {
    // A client that breaks off is not this server's concern.
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    assert_eq!(stream.get_ref().1.server_name(), Some(name.as_str()), "the name in the TLS handshake");
    let service = service_fn(move |request: Request<Incoming>| {
        let Answers { calls, held, answer } = answers.clone();
        async move {
            let body = request.into_body().collect().await?.to_bytes();
            calls.fetch_add(1, Ordering::Relaxed);
            // The sender is held by this very function, so the wait ends with a value.
            let _ = held.subscribe().wait_for(|held| !held).await;
            Ok::<_, hyper::Error>(Response::new(Full::<Bytes>::from(respond(&body, &answer))))
        }
    });
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = connection.await;
}

fn respond(review: &Bytes, answer: &Value) -> Bytes {
    let review: Value = serde_json::from_slice(review).expect("an AdmissionReview");
    let mut response = answer.clone();
    response["uid"] = review["request"]["uid"].clone();
    let review =
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    review.to_string().into()
}

/// A Service and a fail-closed webhook behind it, on `ConfigMaps` created in that namespace.
pub fn objects(namespace: &str, service: &str, authority: &str) -> String {
    let (seconds, bundle) = (TIMEOUT.as_secs(), BASE64_STANDARD.encode(authority));
    format!(
        r#"
apiVersion: v1
kind: Service
metadata: {{name: {service}, namespace: {namespace}}}
spec:
  ports: [{{port: 443}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {{name: {namespace}}}
webhooks:
- name: {service}.bench.regcred.dev
  admissionReviewVersions: [v1]
  clientConfig:
    service: {{name: {service}, namespace: {namespace}, path: /, port: 443}}
    caBundle: {bundle}
  rules:
  - {{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}}
  namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}
  failurePolicy: Fail
  timeoutSeconds: {seconds}
  sideEffects: None
"#
    )
}
