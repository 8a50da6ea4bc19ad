//! A certificate that webhook configurations trust, as far as identity and dates go.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::parse_x509_certificate;
use x509_parser::prelude::X509Certificate;

use super::authority::{BACKDATED, CertificateError};

/// The length of a line of PEM.
const PEM_LINE: usize = 64;

/// The certificate of an authority. Two are the same if their bytes are.
#[derive(Clone)]
pub struct TrustAnchor {
    der: CertificateDer<'static>,
    not_before: SystemTime,
    not_after: SystemTime,
}

impl TrustAnchor {
    /// Reads that of an authority that was stored as PEM.
    pub fn from_pem(pem: &str) -> Result<Self, CertificateError> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| unreadable("it has no PEM block CERTIFICATE"))?;
        let (anchor, is_authority) = Self::from_der(der)?;
        if is_authority { Ok(anchor) } else { Err(unreadable("it is a server's or client's")) }
    }

    fn from_der(der: CertificateDer<'static>) -> Result<(Self, bool), CertificateError> {
        let (_, parsed) = parse_x509_certificate(&der).map_err(|error| unreadable(&error.to_string()))?;
        let is_authority = parsed.is_ca();
        let (not_before, not_after) = validity(&parsed);
        Ok((Self { der, not_before, not_after }, is_authority))
    }

    /// Those in a `caBundle`, also such as are no authority's: an API server trusts a server's own certificate, too, if
    /// it stands there. What is no certificate at all is left out.
    pub fn in_bundle(bundle: &[u8]) -> Vec<Self> {
        let certificates = CertificateDer::pem_slice_iter(bundle).filter_map(Result::ok);
        certificates.filter_map(|der| Some(Self::from_der(der).ok()?.0)).collect()
    }

    /// One that is no certificate: decisions need identity and dates only.
    #[cfg(test)]
    pub(super) fn imagined(name: &str, made: SystemTime, not_after: SystemTime) -> Self {
        let der = CertificateDer::from(name.as_bytes().to_vec());
        Self { der, not_before: made - BACKDATED, not_after }
    }

    /// Its bytes.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// As it stands in a Secret or a `caBundle`.
    pub fn to_pem(&self) -> String {
        let encoded = STANDARD.encode(&self.der);
        let lines = encoded.as_bytes().chunks(PEM_LINE).map(String::from_utf8_lossy);
        let lines: Vec<_> = lines.collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }

    /// When it was made: it is valid from some time before that.
    pub fn made(&self) -> SystemTime {
        self.not_before.checked_add(BACKDATED).unwrap_or(self.not_before).min(self.not_after)
    }

    /// From when on it is valid.
    pub fn not_before(&self) -> SystemTime {
        self.not_before
    }

    /// When it ends.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// Whether it certifies this public key (its `SubjectPublicKeyInfo`).
    pub(super) fn is_of(&self, public_key: &[u8]) -> bool {
        parse_x509_certificate(&self.der).is_ok_and(|(_, parsed)| parsed.public_key().raw == public_key)
    }
}

impl PartialEq for TrustAnchor {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for TrustAnchor {}

impl Hash for TrustAnchor {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.der.as_ref().hash(state);
    }
}

impl fmt::Debug for TrustAnchor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TrustAnchor").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

fn unreadable(reason: &str) -> CertificateError {
    CertificateError::NoAuthority { reason: reason.to_owned() }
}

fn validity(certificate: &X509Certificate<'_>) -> (SystemTime, SystemTime) {
    let validity = certificate.validity();
    (time(validity.not_before.timestamp()), time(validity.not_after.timestamp()))
}

/// Times before 1970 are as good as 1970: long past.
fn time(timestamp: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(timestamp).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::authority::{Authority, service_names};
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_hours(490_896)
    }

    #[test]
    fn what_was_stored_is_read_as_it_was() {
        let authority = Authority::new("test", DAY, now()).unwrap();
        let read = TrustAnchor::from_pem(&authority.certificate_pem()).unwrap();
        assert_eq!(&read, authority.certificate());
        assert_eq!((read.made(), read.not_after()), (now(), now() + DAY));
    }

    #[test]
    fn a_servers_certificate_is_no_authoritys() {
        let authority = Authority::new("test", DAY, now()).unwrap();
        let leaf = authority.issue(&service_names("regcred", "regcred-system"), DAY, now()).unwrap();
        let message = TrustAnchor::from_pem(&leaf.certificate_pem).unwrap_err().to_string();
        assert!(message.contains("it is a server's"), "{message}");
    }

    #[test]
    fn of_a_bundle_the_certificates_are_taken_and_nothing_else() {
        let (first, second) =
            (Authority::new("test", DAY, now()).unwrap(), Authority::new("test", DAY, now()).unwrap());
        let garbage = "-----BEGIN CERTIFICATE-----\nZ2FyYmFnZQ==\n-----END CERTIFICATE-----\n";
        let bundle = ["# a comment\n", &first.certificate_pem(), garbage, &second.certificate_pem()];
        let found = TrustAnchor::in_bundle(bundle.concat().as_bytes());
        assert_eq!(found, [first.certificate().clone(), second.certificate().clone()]);
        assert!(TrustAnchor::in_bundle(b"").is_empty());
        assert!(TrustAnchor::in_bundle(b"garbage").is_empty());
    }
}
