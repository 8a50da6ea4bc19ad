//! The last look before a leaf is served, through a real listener.

use std::path::PathBuf;

use axum::Router;
use prometheus::Registry;

use super::super::bundles::{Configuration, Entry, Kind};
use super::*;
use crate::certificates::TrustAnchor;
use crate::server::{self, Limits, Readiness, Server, Shutdown};
use crate::telemetry::metrics::ServerMetrics;

const HOUR: Duration = Duration::from_hours(1);

/// The keeper of a server that listens, and what tells whether that has a certificate.
async fn listening() -> (Keeper, Readiness) {
    let (registry, readiness) = (Registry::new(), Readiness::new());
    let metrics = ServerMetrics::register(&registry).unwrap();
    let anywhere = "127.0.0.1:0".parse().unwrap();
    let settings = server::Settings {
        listen: anywhere,
        admin_listen: anywhere,
        tls_directory: None::<PathBuf>,
        tls_poll_interval: HOUR,
        drain_pause: Duration::ZERO,
        drain_timeout: Duration::ZERO,
    };
    let server = Server::bind(&settings, Limits::default(), readiness.clone(), metrics).await.unwrap();
    let identity = server.identity();
    tokio::spawn(server.run(Router::new(), Router::new(), Shutdown::new()));
    let settings = Settings {
        leaf_lifetime: HOUR,
        authority_lifetime: 24 * HOUR,
        bundle_propagation: Duration::from_secs(1),
        webhook_hosts: Vec::new(),
    };
    // Nothing here asks the API server, and nothing listens there.
    let client = Client::try_from(kube::Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap();
    let metrics = CertificateMetrics::register(&registry).unwrap();
    let keeper = Keeper::new(&settings, client, "regcred-system", identity, metrics).unwrap();
    (keeper, readiness)
}

/// Both configurations, in which the entries trust these.
fn trusting(bundles: [&[TrustAnchor]; 2]) -> Vec<Configuration> {
    let configuration = |(kind, anchors): (Kind, &[TrustAnchor])| Configuration {
        kind,
        uid: "any".to_owned(),
        resource_version: "1".to_owned(),
        entries: vec![Entry { place: 0, name: "an-entry.regcred.dev".to_owned(), anchors: anchors.to_vec() }],
        elsewhere: Vec::new(),
    };
    [Kind::Mutating, Kind::Validating].into_iter().zip(bundles).map(configuration).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaf_is_served_only_if_a_client_of_every_published_bundle_accepts_it() {
    let (mut keeper, readiness) = listening().await;
    let now = SystemTime::now();
    let [record, other] = [(); 2].map(|()| keeper.new_record(Vec::new(), now).unwrap());
    let (ours, other) = (record.signing.certificate.clone(), other.signing.certificate);
    let observed = |bundles| Observed {
        stored: Stored::Record(record.clone()),
        configurations: trusting(bundles),
        served: None,
        published_for: Some(HOUR),
        now,
    };
    let untrusted: [[&[TrustAnchor]; 2]; 3] = [
        [std::slice::from_ref(&ours), std::slice::from_ref(&other)],
        [std::slice::from_ref(&other), std::slice::from_ref(&ours)],
        [std::slice::from_ref(&ours), &[]],
    ];
    for bundles in untrusted {
        let refused = keeper.serve(&record, now + HOUR, &observed(bundles)).await;
        assert!(matches!(refused, Err(StepError::Identity(IdentityError::Refused(_)))), "{refused:?}");
        assert_eq!((readiness.missing(), &keeper.served), (vec!["certificate"], &None));
    }
    let both = [other.clone(), ours.clone()];
    keeper.serve(&record, now + HOUR, &observed([&both, std::slice::from_ref(&ours)])).await.unwrap();
    assert!(readiness.missing().is_empty());
    assert_eq!(keeper.served.map(|served| served.issuer), Some(ours));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaf_that_its_own_authority_does_not_vouch_for_is_not_served_where_no_webhook_is() {
    let (mut keeper, readiness) = listening().await;
    let now = SystemTime::now();
    let [mut record, other] = [(); 2].map(|()| keeper.new_record(Vec::new(), now).unwrap());
    // As it would be after somebody has put another key into the Secret.
    record.signing.key = other.signing.key;
    let observed = Observed {
        stored: Stored::Record(record.clone()),
        configurations: Vec::new(),
        served: None,
        published_for: None,
        now,
    };
    assert!(keeper.serve(&record, now + HOUR, &observed).await.is_err());
    assert_eq!(readiness.missing(), ["certificate"]);
}
