//! A renewed certificate under load, swapped in as the kubelet does it.

use std::time::{Duration, Instant};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::harness::Installation;
use crate::harness::certificates::Leaf;
use crate::harness::load::paced;
use crate::harness::reviews::{client_of_service, expect_added, served_certificate};
use crate::harness::stage::Stage;
use crate::load::{Stop, reviews, warm_namespace};

/// How often the certificate is renewed.
const RENEWALS: u32 = 5;
/// A renewed certificate is served after the settling time of a fifth of a second, unless the machine is busy.
const SERVED_WITHIN: Duration = Duration::from_secs(10);
/// Connections per second, each for one review, so that handshakes fall into the moments of the swap.
const CONNECTIONS: u32 = 25;

fn der(leaf: &Leaf) -> Vec<u8> {
    CertificateDer::from_pem_slice(leaf.certificate.as_bytes()).unwrap().to_vec()
}

/// Swaps in a new certificate everywhere, and waits until new connections see it.
async fn renew(stage: &Stage) {
    let leaf = stage.installation().new_leaf();
    let swapped = Instant::now();
    for replica in stage.installation().replicas() {
        replica.tls().update(&leaf);
    }
    for replica in stage.installation().replicas() {
        while served_certificate(stage.installation(), &replica).await != der(&leaf) {
            assert!(swapped.elapsed() < SERVED_WITHIN, "{} still serves the former one", replica.name());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    stage.figure(&format!("renewed certificate served {:.1?} after the swap", swapped.elapsed()));
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_the_certificate_is_swapped_and_new_connections_get_the_new_one() {
    let stage = Stage::set_on("certificate", Installation::shared_with_files()).await;
    warm_namespace(&stage, "certificate").await;
    let client = client_of_service(stage.installation());
    client.warm().await;
    let stop = Stop::default();
    let renewals = async {
        for _ in 0..RENEWALS {
            renew(&stage).await;
        }
    };
    let (pod, copy) = (stage.pod_as_json("certificate", "connected"), stage.copy());
    let connect = |_| {
        let (client, pod, copy) = (client_of_service(stage.installation()), pod.clone(), copy.clone());
        async move { expect_added(&client, &pod, &copy).await }
    };
    let (kept, mut new, ()) = tokio::join!(
        reviews(&stage, &client, "certificate", 0, &stop),
        paced(CONNECTIONS, |_| stop.is_set(), connect),
        stop.clone().after(renewals),
    );
    new.connections_made = new.answered + new.failures.len();
    stage.figure(&format!("on kept connections: {kept}"));
    stage.figure(&format!("on a new connection each: {new}"));
    let failures = [kept.failures, new.failures].concat();
    assert!(failures.is_empty(), "{} failures, such as {:?}", failures.len(), failures[0]);
    for replica in stage.installation().replicas() {
        let metrics = replica.metrics().await;
        let reloads = metrics.sum("regcred_server_certificate_reloads_total", &[("result", "success")]);
        assert!(reloads >= f64::from(RENEWALS), "{} has loaded {reloads}", replica.name());
        let failed = metrics.sum("regcred_server_certificate_reloads_total", &[("result", "failure")]);
        assert!(failed.abs() < 0.5, "{} has seen a pair that does not match", replica.name());
    }
}
