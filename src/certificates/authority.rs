//! An authority that signs certificates for the webhook's server.
//!
//! Keys are ECDSA P-256: every Kubernetes API server verifies them, and a full handshake costs a fraction of
//! what RSA or P-384 cost.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SanType,
};
use rustls_pki_types::DnsName;
use thiserror::Error;
use time::OffsetDateTime;

use super::anchor::TrustAnchor;

/// How long before "now" a certificate starts to be valid: clocks of API servers differ from ours, and a
/// certificate that is not valid yet fails every call. An hour covers a machine in a wrong time zone's
/// daylight saving as well.
pub(super) const BACKDATED: Duration = Duration::from_hours(1);

/// The common name of a leaf. Nothing reads it: verification goes by the subject alternative names, which, unlike
/// a common name, may be longer than 64 characters.
const LEAF_COMMON_NAME: &str = "regcred webhook server";

/// Why a certificate could not be issued.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// The name cannot stand in a certificate for a server.
    #[error(
        "{name:?} is neither a DNS name nor an IP address; a webhook's certificate is for names such as regcred.regcred-system.svc"
    )]
    InvalidName {
        /// The name as it was given.
        name: String,
    },
    /// A certificate without a subject alternative name is refused by every API server.
    #[error("a server's certificate needs at least one name")]
    NoNames,
    /// The lifetime ends where no certificate can.
    #[error("a certificate cannot be valid for {} days from now; choose fewer", lifetime.as_secs() / 86_400)]
    LifetimeOutOfRange {
        /// The lifetime as it was given.
        lifetime: Duration,
    },
    /// Whoever trusts the authority stops to trust the leaf when the authority ends.
    #[error(
        "the certificate would be valid for longer than its authority; shorten it or renew the authority first"
    )]
    OutlivesAuthority,
    /// What should be an authority's certificate is none.
    #[error("there is no certificate of an authority: {reason}")]
    NoAuthority {
        /// What is wrong with it.
        reason: String,
    },
    /// What should be an authority's key is none.
    #[error("the authority's key cannot be read; it must be PEM, in PKCS #8")]
    UnreadableKey,
    /// Each is fine, but they do not belong together.
    #[error("the authority's key does not belong to its certificate")]
    Mismatch,
    /// The cryptography refused.
    #[error("the certificate could not be made: {0}")]
    Signing(#[from] rcgen::Error),
}

/// A private key as PEM (PKCS #8), which shows itself to nobody by accident.
#[derive(Clone)]
pub struct PrivateKeyPem(String);

impl PrivateKeyPem {
    /// A key that was stored.
    pub fn new(pem: String) -> Self {
        Self(pem)
    }

    /// The key itself, for the place that stores or loads it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PrivateKeyPem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PrivateKeyPem(redacted)")
    }
}

/// A certificate authority whose only purpose is this webhook: webhook configurations trust it by their
/// `caBundle`, nothing else does.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: TrustAnchor,
    key_pem: PrivateKeyPem,
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Authority").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// A server's certificate and its key.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// The names that it is for.
    pub names: Vec<String>,
    /// The certificate alone: its authority is what the other side already has.
    pub certificate_pem: String,
    /// The key that belongs to it.
    pub key_pem: PrivateKeyPem,
    /// When it ends.
    pub not_after: SystemTime,
}

impl Authority {
    /// A new authority with a new key, valid from an hour before `now` until `lifetime` after it.
    pub fn new(common_name: &str, lifetime: Duration, now: SystemTime) -> Result<Self, CertificateError> {
        let mut parameters = parameters(common_name, lifetime, now)?;
        // It signs leaves, never another authority.
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = new_key()?;
        let certificate = parameters.self_signed(&key)?;
        Self::stored(&certificate.pem(), PrivateKeyPem(key.serialize_pem()))
    }

    /// The authority of a certificate and key that were stored as PEM.
    pub fn stored(certificate_pem: &str, key_pem: PrivateKeyPem) -> Result<Self, CertificateError> {
        let certificate = TrustAnchor::from_pem(certificate_pem)?;
        // The library's own words are left out: nothing of a key goes into a message.
        let key = KeyPair::from_pem(key_pem.expose()).map_err(|_| CertificateError::UnreadableKey)?;
        if !certificate.is_of(&key.subject_public_key_info()) {
            return Err(CertificateError::Mismatch);
        }
        let issuer = Issuer::from_ca_cert_der(certificate.der(), key)?;
        Ok(Self { issuer, certificate, key_pem })
    }

    /// The authority's certificate, and when it is valid.
    pub fn certificate(&self) -> &TrustAnchor {
        &self.certificate
    }

    /// The authority's certificate: what goes into a webhook configuration's `caBundle`.
    pub fn certificate_pem(&self) -> String {
        self.certificate.to_pem()
    }

    /// The authority's key, for the place that stores it.
    pub fn key_pem(&self) -> &PrivateKeyPem {
        &self.key_pem
    }

    /// When the authority ends.
    pub fn not_after(&self) -> SystemTime {
        self.certificate.not_after()
    }

    /// A server's certificate with a new key for `names` (DNS names or IP addresses), valid from an hour before `now` until `lifetime`
    /// after it, which may not be later than the authority's own end.
    pub fn issue(
        &self,
        names: &[String],
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<Leaf, CertificateError> {
        self.issue_until(names, end(lifetime, now)?, now)
    }

    /// The same, valid until a time.
    pub fn issue_until(
        &self,
        names: &[String],
        not_after: SystemTime,
        now: SystemTime,
    ) -> Result<Leaf, CertificateError> {
        if names.is_empty() {
            return Err(CertificateError::NoNames);
        }
        if not_after > self.not_after() {
            return Err(CertificateError::OutlivesAuthority);
        }
        let lifetime = not_after.duration_since(now).unwrap_or_default();
        let mut parameters = parameters(LEAF_COMMON_NAME, lifetime, now)?;
        parameters.subject_alt_names =
            names.iter().map(|name| subject_alternative_name(name)).collect::<Result<_, _>>()?;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Names the key that signed it: while two authorities overlap in a bundle, a verifier finds the right one
        // at once although both carry the same subject.
        parameters.use_authority_key_identifier_extension = true;
        let key = new_key()?;
        let certificate = parameters.signed_by(&key, &self.issuer)?;
        Ok(Leaf {
            names: names.to_vec(),
            certificate_pem: certificate.pem(),
            key_pem: PrivateKeyPem(key.serialize_pem()),
            not_after,
        })
    }
}

/// The DNS names under which an API server calls a Service, the first of which it verifies.
pub fn service_names(service: &str, namespace: &str) -> Vec<String> {
    vec![format!("{service}.{namespace}.svc"), format!("{service}.{namespace}.svc.cluster.local")]
}

fn new_key() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
}

fn parameters(
    common_name: &str,
    lifetime: Duration,
    now: SystemTime,
) -> Result<CertificateParams, CertificateError> {
    let out_of_range = || CertificateError::LifetimeOutOfRange { lifetime };
    let start = now.checked_sub(BACKDATED).ok_or_else(out_of_range)?;
    let mut distinguished_name = DistinguishedName::new();
    distinguished_name.push(DnType::CommonName, common_name);
    // The parameters have no other constructor than their default, all of whose values that matter are set here
    // or by the caller.
    let mut parameters = CertificateParams::default();
    parameters.not_before = date_time(start).ok_or_else(out_of_range)?;
    parameters.not_after = date_time(end(lifetime, now)?).ok_or_else(out_of_range)?;
    parameters.distinguished_name = distinguished_name;
    Ok(parameters)
}

/// In whole seconds, as a certificate states it.
fn end(lifetime: Duration, now: SystemTime) -> Result<SystemTime, CertificateError> {
    now.checked_add(lifetime).map(whole_seconds).ok_or(CertificateError::LifetimeOutOfRange { lifetime })
}

/// The time without its fraction of a second.
pub(super) fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

/// `None` for a time that a certificate cannot state (before 1970, after the year 9999).
fn date_time(time: SystemTime) -> Option<OffsetDateTime> {
    let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()
}

fn subject_alternative_name(name: &str) -> Result<SanType, CertificateError> {
    if let Ok(address) = name.parse() {
        return Ok(SanType::IpAddress(address));
    }
    let invalid = || CertificateError::InvalidName { name: name.to_owned() };
    DnsName::try_from(name).map_err(|_| invalid())?;
    Ok(SanType::DnsName(name.try_into().map_err(|_| invalid())?))
}

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
