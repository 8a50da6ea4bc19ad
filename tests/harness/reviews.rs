//! Reviews as the API server sends them, straight to the servers under test, and what they answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::installation::Installation;
use super::load::{Client, Target};
use super::replica::Replica;
use super::users::User;

/// The name that the API server asks for.
const SERVER_NAME: &str = "regcred.regcred-system.svc";
/// The path of the registration, with the time that the API server adds.
const PATH: &str = "/mutate/pods?timeout=3s";
/// What was applied to the cluster reaches the servers' watches in well under a second, unless the machine is busy.
const KNOWN_LIMIT: Duration = Duration::from_secs(30);

/// A client of the Service: each new connection goes to a server that is behind it at that moment, in turn.
pub(crate) fn client_of_service(installation: &Installation) -> Arc<Client> {
    let (service, turn) = (Arc::clone(installation.service()), AtomicUsize::new(0));
    let address = move || {
        let backends = service.backends();
        let turn = turn.fetch_add(1, Ordering::Relaxed) % backends.len().max(1);
        backends.get(turn).expect("a server behind the Service").address()
    };
    client(installation, Box::new(address))
}

/// A client of one server.
pub(crate) fn client_of(installation: &Installation, replica: &Replica) -> Arc<Client> {
    let address = replica.webhook_address();
    client(installation, Box::new(move || address))
}

fn client(
    installation: &Installation,
    address: Box<dyn Fn() -> std::net::SocketAddr + Send + Sync>,
) -> Arc<Client> {
    let tls = Arc::new(trusting(&installation.authority()));
    Client::new(Target {
        address,
        server_name: server_name(),
        tls,
        path: PATH.to_owned(),
        body: Bytes::new(),
    })
}

fn server_name() -> ServerName<'static> {
    ServerName::try_from(SERVER_NAME).expect("a name")
}

/// Trusts a `caBundle` and offers what the API server offers.
fn trusting(bundle: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(authority.expect("PEM")).expect("a certificate authority");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = versions.expect("TLS 1.3").with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// The certificate that a server shows to a new connection (DER).
pub async fn served_certificate(installation: &Installation, replica: &Replica) -> Vec<u8> {
    shown(&installation.authority(), replica).await.expect("TLS").to_vec()
}

/// The certificate that a server shows to a client that trusts this (PEM); none if the client does not accept it.
async fn shown(bundle: &str, replica: &Replica) -> Option<CertificateDer<'static>> {
    let stream = TcpStream::connect(replica.webhook_address()).await.expect("a connection");
    let connector = TlsConnector::from(Arc::new(trusting(bundle)));
    let stream = connector.connect(server_name(), stream).await.ok()?;
    Some(stream.get_ref().1.peer_certificates().expect("a certificate")[0].clone())
}

/// Whether the certificate that a server shows to a client that trusts `bundle` is of this authority (both PEM).
pub async fn is_issued_by(authority: &str, bundle: &str, replica: &Replica) -> bool {
    let Some(leaf) = shown(bundle, replica).await else { return false };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).expect("PEM")).expect("an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let verifier = verifier.expect("a verifier");
    verifier.verify_server_cert(&leaf, &[], &server_name(), &[], UnixTime::now()).is_ok()
}

/// A uid that no other review has.
pub fn unique_uid() -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    format!("5ca1ab1e-0000-4000-8000-{:012x}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// The review of the creation of a pod.
pub fn of_pod(uid: &str, pod: &Value, is_dry_run: bool) -> Bytes {
    let kind = json!({"group": "", "version": "v1", "kind": "Pod"});
    let resource = json!({"group": "", "version": "v1", "resource": "pods"});
    let review = json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": uid,
            "kind": kind,
            "resource": resource,
            "requestKind": kind,
            "requestResource": resource,
            "name": pod["metadata"]["name"],
            "namespace": pod["metadata"]["namespace"],
            "operation": "CREATE",
            "userInfo": {"username": User::Developer.name(), "groups": ["people", "system:authenticated"]},
            "object": pod,
            "oldObject": null,
            "dryRun": is_dry_run,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        },
    });
    Bytes::from(review.to_string())
}

/// The pull Secrets that an answer adds to a pod that names none.
pub fn added(uid: &str, answer: &[u8]) -> Result<Vec<String>, String> {
    let quoted = || String::from_utf8_lossy(answer).into_owned();
    let review: Value = serde_json::from_slice(answer).map_err(|error| format!("{error}: {}", quoted()))?;
    let response = &review["response"];
    if response["uid"] != uid || response["allowed"] != true {
        return Err(format!("not the answer to {uid}: {}", quoted()));
    }
    let Some(patch) = response["patch"].as_str() else {
        return Ok(Vec::new());
    };
    let patch = BASE64_STANDARD.decode(patch).map_err(|error| format!("{error}: {}", quoted()))?;
    let patch: json_patch::Patch =
        serde_json::from_slice(&patch).map_err(|error| format!("{error}: {}", quoted()))?;
    let mut pod = json!({"spec": {}});
    json_patch::patch(&mut pod, &patch).map_err(|error| format!("{error}: {}", quoted()))?;
    let names = pod["spec"]["imagePullSecrets"].as_array().cloned().unwrap_or_default();
    Ok(names.iter().filter_map(|name| Some(name["name"].as_str()?.to_owned())).collect())
}

/// Reviews a pod; fails when it is not given just this pull Secret.
pub(crate) async fn expect_added(client: &Arc<Client>, pod: &Value, name: &str) -> Result<(), String> {
    let uid = unique_uid();
    let answer = client.post(of_pod(&uid, pod, false)).await?;
    let added = added(&uid, &answer)?;
    if added == [name] {
        Ok(())
    } else {
        Err(format!("added {added:?}: {}", String::from_utf8_lossy(&answer)))
    }
}

/// Waits until every server would give a pod this pull Secret; in dry runs, so that nothing is written.
pub async fn until_known(installation: &Installation, pod: &Value, name: &str) {
    until_all_answer(installation, pod, &format!("add {name}"), |uid, answer| {
        added(uid, answer).is_ok_and(|added| added == [name])
    })
    .await;
}

/// Waits until every server would say this of a pod, in a warning.
pub async fn until_warned(installation: &Installation, pod: &Value, warning: &str) {
    let says = |_: &str, answer: &[u8]| String::from_utf8_lossy(answer).contains(warning);
    until_all_answer(installation, pod, &format!("say {warning:?}"), says).await;
}

async fn until_all_answer(
    installation: &Installation,
    pod: &Value,
    what: &str,
    holds: impl Fn(&str, &[u8]) -> bool,
) {
    for replica in installation.replicas() {
        let client = client_of(installation, &replica);
        let deadline = Instant::now() + KNOWN_LIMIT;
        loop {
            let uid = unique_uid();
            let answer = client.post(of_pod(&uid, pod, true)).await;
            if answer.as_ref().is_ok_and(|answer| holds(&uid, answer)) {
                break;
            }
            let answer = answer.map(|answer| String::from_utf8_lossy(&answer).into_owned());
            assert!(Instant::now() < deadline, "{} does not {what}: {answer:?}", replica.name());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
