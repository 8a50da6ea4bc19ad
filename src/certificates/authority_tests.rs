use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use x509_parser::parse_x509_certificate;

use super::*;

const DAY: Duration = Duration::from_hours(24);

/// 2026-01-01T00:00:00Z.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(490_896)
}

fn authority() -> Authority {
    Authority::new("test authority", 365 * DAY, now()).unwrap()
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// What a TLS client that trusts `authority` says of `leaf` under `name` at `time`.
fn verify(authority: &Authority, leaf: &Leaf, name: &str, time: SystemTime) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(der(&authority.certificate_pem())).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let time = UnixTime::since_unix_epoch(time.duration_since(UNIX_EPOCH).unwrap());
    let name = ServerName::try_from(name.to_owned()).unwrap();
    verifier.verify_server_cert(&der(&leaf.certificate_pem), &[], &name, &[], time).map(|_| ())
}

#[test]
fn a_client_that_trusts_the_authority_accepts_the_leaf_under_each_of_its_names_and_no_other() {
    let authority = authority();
    let leaf = authority.issue(&service_names("regcred", "regcred-system"), 90 * DAY, now()).unwrap();
    for (name, accepted) in [
        ("regcred.regcred-system.svc", true),
        ("regcred.regcred-system.svc.cluster.local", true),
        ("regcred.other.svc", false),
        ("svc", false),
    ] {
        assert_eq!(verify(&authority, &leaf, name, now()).is_ok(), accepted, "{name}");
    }
}

#[test]
fn the_leaf_is_valid_from_an_hour_before_now_until_its_lifetime_after_it() {
    let authority = authority();
    let leaf = authority.issue(&service_names("regcred", "regcred-system"), 90 * DAY, now()).unwrap();
    let second = Duration::from_secs(1);
    for (time, accepted) in [
        (now() - BACKDATED - second, false),
        (now() - BACKDATED, true),
        (now(), true),
        (now() + 90 * DAY, true),
        (now() + 90 * DAY + second, false),
    ] {
        assert_eq!(
            verify(&authority, &leaf, "regcred.regcred-system.svc", time).is_ok(),
            accepted,
            "{:?} after now",
            time.duration_since(now())
        );
    }
    assert_eq!(leaf.not_after, now() + 90 * DAY);
}

#[test]
fn a_client_that_trusts_another_authority_of_the_same_name_refuses_the_leaf() {
    let leaf = authority().issue(&service_names("regcred", "regcred-system"), DAY, now()).unwrap();
    assert!(verify(&authority(), &leaf, "regcred.regcred-system.svc", now()).is_err());
}

#[test]
fn the_key_belongs_to_the_certificate_and_both_are_p256() {
    let leaf = authority().issue(&service_names("regcred", "regcred-system"), DAY, now()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(leaf.key_pem.expose().as_bytes()).unwrap();
    let chain = vec![der(&leaf.certificate_pem)];
    CertifiedKey::from_der(chain.clone(), key, &aws_lc_rs::default_provider()).unwrap().keys_match().unwrap();
    let (_, certificate) = parse_x509_certificate(&chain[0]).unwrap();
    let curve = certificate.public_key().algorithm.parameters.as_ref().unwrap().as_oid().unwrap();
    assert_eq!(curve.to_id_string(), "1.2.840.10045.3.1.7");
}

#[test]
fn the_authority_may_sign_leaves_only_and_a_leaf_may_only_serve() {
    let authority = authority();
    let leaf = authority.issue(&service_names("regcred", "regcred-system"), DAY, now()).unwrap();
    let authority_der = der(&authority.certificate_pem());
    let (_, parsed) = parse_x509_certificate(&authority_der).unwrap();
    let constraints = parsed.basic_constraints().unwrap().unwrap().value;
    assert!(constraints.ca);
    assert_eq!(constraints.path_len_constraint, Some(0));
    let leaf_der = der(&leaf.certificate_pem);
    let (_, parsed) = parse_x509_certificate(&leaf_der).unwrap();
    assert!(!parsed.is_ca());
    let usage = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && !usage.client_auth && !usage.any);
}

#[test]
fn no_two_leaves_share_a_key_or_a_serial_number() {
    let authority = authority();
    let names = service_names("regcred", "regcred-system");
    let first = authority.issue(&names, DAY, now()).unwrap();
    let second = authority.issue(&names, DAY, now()).unwrap();
    assert_ne!(first.key_pem.expose(), second.key_pem.expose());
    let serial =
        |leaf: &Leaf| parse_x509_certificate(&der(&leaf.certificate_pem)).unwrap().1.raw_serial_as_string();
    assert_ne!(serial(&first), serial(&second));
}

#[test]
fn what_cannot_be_issued_is_refused_with_a_sentence() {
    let authority = authority();
    let names = service_names("regcred", "regcred-system");
    let cases: Vec<(Result<Leaf, CertificateError>, &str)> = vec![
        (authority.issue(&[], DAY, now()), "at least one name"),
        (authority.issue(&["reg cred".into()], DAY, now()), "\"reg cred\" is neither a DNS name"),
        (authority.issue(&["régcred.svc".into()], DAY, now()), "is neither a DNS name"),
        (authority.issue(&names, 366 * DAY, now()), "longer than its authority"),
        (authority.issue(&names, Duration::MAX, now()), "choose fewer"),
    ];
    for (result, expected) in cases {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let message = Authority::new("test", 4_000_000 * DAY, now()).unwrap_err().to_string();
    assert!(message.contains("4000000 days"), "{message}");
}

#[test]
fn names_longer_than_a_common_name_may_be_are_issued() {
    let authority = authority();
    let names = service_names(&"s".repeat(63), &"n".repeat(63));
    let leaf = authority.issue(&names, DAY, now()).unwrap();
    verify(&authority, &leaf, &names[0], now()).unwrap();
}

#[test]
fn an_address_is_issued_as_an_address() {
    let authority = authority();
    for address in ["192.0.2.1", "2001:db8::1"] {
        let leaf = authority.issue(&[address.to_owned()], DAY, now()).unwrap();
        verify(&authority, &leaf, address, now()).unwrap();
        verify(&authority, &leaf, "192.0.2.2", now()).unwrap_err();
    }
}

#[test]
fn debug_output_shows_no_key() {
    let authority = authority();
    let leaf = authority.issue(&service_names("regcred", "regcred-system"), DAY, now()).unwrap();
    let shown = format!("{authority:?} {leaf:?}");
    let secret = leaf.key_pem.expose().lines().nth(1).unwrap();
    assert!(!shown.contains(secret) && !shown.contains("PRIVATE KEY"), "{shown}");
}
