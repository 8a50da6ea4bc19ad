//! A certificate that is brought to the running server, and tried before it is served.

use std::time::{Duration, SystemTime};

use regcred::certificates::{Authority, Leaf};

use crate::kit::{NAME, TestServer, connect, der, trusting_pem};

const HOUR: Duration = Duration::from_hours(1);

fn leaf_of(authority: &Authority, lifetime: Duration) -> Leaf {
    authority.issue(&[NAME.to_owned()], lifetime, SystemTime::now()).unwrap()
}

fn new_authority() -> Authority {
    Authority::new("the tests' authority", HOUR, SystemTime::now()).unwrap()
}

/// Whether a new connection, of a client that trusts this authority, is shown that leaf.
async fn is_shown(server: &TestServer, authority: &Authority, leaf: &Leaf) -> bool {
    let client = trusting_pem(&authority.certificate_pem(), &[b"http/1.1"]);
    let Ok(stream) = connect(server.webhook, client).await else { return false };
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    shown == der(&leaf.certificate_pem)
}

async fn try_out(server: &TestServer, leaf: &Leaf, roots: &[&Authority]) -> Result<(), String> {
    let candidate = server.identity.candidate(leaf).unwrap();
    let roots = roots.iter().map(|authority| authority.certificate().der());
    server.identity.try_out(&candidate, roots, NAME).await.map_err(|error| error.to_string())
}

fn serve(server: &TestServer, leaf: &Leaf) {
    server.identity.serve(server.identity.candidate(leaf).unwrap(), leaf.not_after);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn until_a_certificate_is_brought_the_server_is_not_ready_and_shows_none() {
    let server = TestServer::start_without_files().await;
    let authority = new_authority();
    let leaf = leaf_of(&authority, HOUR / 2);
    assert_eq!(server.readiness.missing(), ["certificate"]);
    assert!(!is_shown(&server, &authority, &leaf).await);
    serve(&server, &leaf);
    assert!(server.readiness.missing().is_empty());
    assert!(is_shown(&server, &authority, &leaf).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trial_tells_whether_a_client_with_these_roots_accepts_it_and_shows_it_to_nobody_else() {
    let server = TestServer::start_without_files().await;
    let (old, new) = (new_authority(), new_authority());
    let (current, candidate) = (leaf_of(&old, HOUR / 2), leaf_of(&new, HOUR / 2));
    try_out(&server, &current, &[&old]).await.unwrap();
    assert!(!is_shown(&server, &old, &current).await, "a trial serves nothing");
    serve(&server, &current);
    for (roots, accepted) in
        [(vec![&old], false), (vec![], false), (vec![&new], true), (vec![&old, &new], true)]
    {
        let (tried, seen) =
            tokio::join!(try_out(&server, &candidate, &roots), is_shown(&server, &old, &current));
        assert_eq!(tried.is_ok(), accepted, "{tried:?}");
        assert!(seen, "whoever else comes is shown what is served");
        if let Err(message) = tried {
            assert!(message.contains("is not served: a client that trusts the caBundle"), "{message}");
        }
    }
    // And of another name it is not accepted at all.
    let elsewhere = new.issue(&["elsewhere.svc".to_owned()], HOUR / 2, SystemTime::now()).unwrap();
    assert!(try_out(&server, &elsewhere, &[&new]).await.is_err());
    assert!(is_shown(&server, &old, &current).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_brings_no_other_in_time_makes_the_server_unready() {
    let server = TestServer::start_without_files().await;
    let authority = new_authority();
    serve(&server, &leaf_of(&authority, Duration::from_secs(2)));
    assert!(server.readiness.missing().is_empty());
    tokio::time::sleep(Duration::from_secs(3)).await;
    server.identity.judge_expiry();
    assert_eq!(server.readiness.missing(), ["certificate"]);
    serve(&server, &leaf_of(&authority, HOUR / 2));
    assert!(server.readiness.missing().is_empty());
}
