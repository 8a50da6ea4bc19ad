//! What the cluster holds of regcred's own certificates: the Secret of the authority, and what the webhooks trust.

use std::time::{Duration, Instant, SystemTime};

use base64::prelude::{BASE64_STANDARD, Engine};
use jiff::Timestamp;
use regcred::certificates::TrustAnchor;
use serde_json::{Value, json};

use super::control_plane::ControlPlane;
use super::installation::{Installation, NAMESPACE};
use super::replica::Replica;
use super::reviews::is_issued_by;

/// The Secret of the authority.
pub const SECRET: &str = "regcred-authority";
pub const MUTATING: &str = "mutatingwebhookconfiguration";
pub const VALIDATING: &str = "validatingwebhookconfiguration";
/// What is to happen in seconds may take this long on a busy machine.
pub const SOON: Duration = Duration::from_secs(30);

/// The Secret, as it is stored.
pub async fn secret(control_plane: &ControlPlane) -> Option<Value> {
    read(control_plane, &format!("/api/v1/namespaces/{NAMESPACE}/secrets/{SECRET}")).await
}

/// An object, if it is there. Not by kubectl: what is asked several times a second must not be what keeps the machine
/// busy.
async fn read(control_plane: &ControlPlane, path: &str) -> Option<Value> {
    match control_plane.get(path).await {
        Ok(text) => Some(serde_json::from_str(&text).expect("JSON")),
        Err(kube::Error::Api(status)) if status.code == 404 => None,
        Err(error) => panic!("{path}: {error}"),
    }
}

/// The authority in it that signs, if there is one.
pub async fn authority(control_plane: &ControlPlane) -> Option<TrustAnchor> {
    let certificate = value(&secret(control_plane).await?, "tls.crt")?;
    TrustAnchor::from_pem(&certificate).ok()
}

/// The ends of the last leaves of former authorities, as they are recorded.
pub async fn former(control_plane: &ControlPlane) -> Vec<(TrustAnchor, SystemTime)> {
    let trust = secret(control_plane).await.and_then(|secret| value(&secret, "trust.json"));
    let trust: Value = serde_json::from_str(&trust.unwrap_or_default()).unwrap_or_default();
    let one = |former: &Value| {
        let certificate = TrustAnchor::from_pem(former["certificate"].as_str()?).ok()?;
        let until: Timestamp = former["until"].as_str()?.parse().ok()?;
        Some((certificate, SystemTime::from(until)))
    };
    trust["former"].as_array().into_iter().flatten().filter_map(one).collect()
}

fn value(secret: &Value, key: &str) -> Option<String> {
    String::from_utf8(BASE64_STANDARD.decode(secret["data"][key].as_str()?).ok()?).ok()
}

/// A change of the Secret's data; null takes a key out.
pub async fn patch_secret(control_plane: &ControlPlane, data: &Value) {
    let patch = json!({"data": data}).to_string();
    let command = ["patch", "secret", SECRET, "--namespace", NAMESPACE, "--type=merge", "--patch", &patch];
    control_plane.kubectl(&command).await.succeeded();
}

pub async fn delete_secret(control_plane: &ControlPlane) {
    control_plane.kubectl(&["delete", "secret", SECRET, "--namespace", NAMESPACE]).await.succeeded();
}

/// A webhook configuration, as it is stored.
pub async fn configuration(control_plane: &ControlPlane, kind: &str, name: &str) -> Option<Value> {
    read(control_plane, &format!("/apis/admissionregistration.k8s.io/v1/{kind}s/{name}")).await
}

/// What each entry of our configurations trusts, by the entry's name.
pub async fn bundles(control_plane: &ControlPlane) -> Vec<(String, Vec<TrustAnchor>)> {
    let mut all = Vec::new();
    for kind in [MUTATING, VALIDATING] {
        let configuration = configuration(control_plane, kind, "regcred").await.unwrap_or_default();
        for entry in configuration["webhooks"].as_array().into_iter().flatten() {
            let encoded = entry["clientConfig"]["caBundle"].as_str().unwrap_or_default();
            let bundle = TrustAnchor::in_bundle(&BASE64_STANDARD.decode(encoded).expect("base64"));
            all.push((entry["name"].as_str().expect("a name").to_owned(), bundle));
        }
    }
    all
}

/// Whether every entry of ours trusts this one.
pub async fn all_trust(control_plane: &ControlPlane, anchor: &TrustAnchor) -> bool {
    bundles(control_plane).await.iter().all(|(_, bundle)| bundle.contains(anchor))
}

/// Waits until another authority signs than this one.
pub async fn until_replaced(
    control_plane: &ControlPlane,
    former: &TrustAnchor,
    limit: Duration,
) -> TrustAnchor {
    let begun = Instant::now();
    loop {
        match authority(control_plane).await {
            Some(authority) if authority != *former => return authority,
            _ => assert!(begun.elapsed() < limit, "no new authority after {limit:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until a server serves a leaf of this authority, to a client that trusts what the API server trusts.
pub async fn until_served_by(authority: &TrustAnchor, installation: &Installation, replica: &Replica) {
    let (begun, wanted) = (Instant::now(), authority.to_pem());
    // Also that one: it may have been published since the others were read.
    while !is_issued_by(&wanted, &(trusted(installation).await + &wanted), replica).await {
        let duration = begun.elapsed();
        assert!(duration < SOON, "{} serves no leaf of the new authority: {}", replica.name(), replica.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What all entries trust together, as PEM.
async fn trusted(installation: &Installation) -> String {
    let bundles = bundles(installation.control_plane()).await;
    bundles.iter().flat_map(|(_, bundle)| bundle).map(TrustAnchor::to_pem).collect()
}

/// Waits until all servers serve leaves of the authority that signs, which all entries trust.
pub async fn until_settled(installation: &Installation) -> TrustAnchor {
    let control_plane = installation.control_plane();
    let begun = Instant::now();
    loop {
        if let Some(authority) = authority(control_plane).await
            && all_trust(control_plane, &authority).await
        {
            for replica in installation.replicas() {
                until_served_by(&authority, installation, &replica).await;
            }
            return authority;
        }
        assert!(begun.elapsed() < SOON, "the certificates are not settled after {SOON:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
