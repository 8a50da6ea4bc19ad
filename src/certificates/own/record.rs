//! What the Secret of our authority holds: the authority that signs, and those before it that are still trusted.
//!
//! | key | |
//! | --- | --- |
//! | `tls.crt`, `tls.key` | the authority that signs |
//! | `trust.json` | until when leaves of it are valid at most, and each former authority with the end of its last leaf |
//!
//! A leaf is signed only after its end was written here, and every write names the resource version it was decided on.
//! So whoever takes an authority's place knows the end of the last leaf that it ever signed.

use std::collections::BTreeMap;
use std::time::SystemTime;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use serde::{Deserialize, Serialize};

use crate::certificates::{Authority, CertificateError, PrivateKeyPem, TrustAnchor};

const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const TRUST: &str = "trust.json";

/// The content of the Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// The authority that signs new leaves.
    pub(super) signing: Signing,
    /// No leaf of it is valid for longer.
    pub(super) leaves_until: SystemTime,
    /// Authorities before it, which sign no more.
    pub(super) former: Vec<Former>,
}

/// An authority that can sign.
#[derive(Debug, Clone)]
pub(super) struct Signing {
    pub(super) certificate: TrustAnchor,
    pub(super) key: PrivateKeyPem,
}

impl PartialEq for Signing {
    fn eq(&self, other: &Self) -> bool {
        self.certificate == other.certificate
    }
}

impl Eq for Signing {}

/// An authority that is trusted only because leaves of it may still be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Former {
    pub(super) certificate: TrustAnchor,
    /// When the last leaf that it signed ends.
    pub(super) until: SystemTime,
}

/// Why the Secret is of no use. It never quotes what the Secret holds.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("it has no {0}, or not as text")]
    Missing(&'static str),
    #[error(transparent)]
    Authority(#[from] CertificateError),
    #[error("its {TRUST} cannot be read")]
    Trust,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredTrust {
    leaves_until: Timestamp,
    #[serde(default)]
    former: Vec<StoredFormer>,
}

#[derive(Serialize, Deserialize)]
struct StoredFormer {
    certificate: String,
    until: Timestamp,
}

impl Record {
    /// Reads the data of a Secret.
    pub(super) fn read(data: &BTreeMap<String, ByteString>) -> Result<Self, Unusable> {
        let text = |key: &'static str| {
            let bytes = data.get(key).ok_or(Unusable::Missing(key))?;
            std::str::from_utf8(&bytes.0).map_err(|_| Unusable::Missing(key))
        };
        let key = PrivateKeyPem::new(text(KEY)?.to_owned());
        let authority = Authority::stored(text(CERTIFICATE)?, key)?;
        let signing =
            Signing { certificate: authority.certificate().clone(), key: authority.key_pem().clone() };
        let Some(trust) = data.get(TRUST) else {
            // An authority that somebody else put there: it has signed no leaf that we would know of.
            return Ok(Self { signing, leaves_until: SystemTime::UNIX_EPOCH, former: Vec::new() });
        };
        let trust: StoredTrust = serde_json::from_slice(&trust.0).map_err(|_| Unusable::Trust)?;
        let former = |stored: StoredFormer| {
            let certificate =
                TrustAnchor::in_bundle(stored.certificate.as_bytes()).pop().ok_or(Unusable::Trust)?;
            Ok(Former { certificate, until: SystemTime::from(stored.until) })
        };
        let former = trust.former.into_iter().map(former).collect::<Result<_, Unusable>>()?;
        Ok(Self { signing, leaves_until: SystemTime::from(trust.leaves_until), former })
    }

    /// The data of the Secret; nothing if a time in it is none that can be written (after the year 9999).
    pub(super) fn write(&self) -> Option<BTreeMap<String, ByteString>> {
        let time = |time: SystemTime| Timestamp::try_from(time).ok();
        let former = |former: &Former| {
            Some(StoredFormer { certificate: former.certificate.to_pem(), until: time(former.until)? })
        };
        let trust = StoredTrust {
            leaves_until: time(self.leaves_until)?,
            former: self.former.iter().map(former).collect::<Option<_>>()?,
        };
        let entry = |key: &str, value: Vec<u8>| (key.to_owned(), ByteString(value));
        Some(BTreeMap::from([
            entry(CERTIFICATE, self.signing.certificate.to_pem().into_bytes()),
            entry(KEY, self.signing.key.expose().as_bytes().to_vec()),
            entry(TRUST, serde_json::to_vec(&trust).ok()?),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    /// 2026-01-01T00:00:00Z.
    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_hours(490_896)
    }

    fn record() -> Record {
        let authority = Authority::new("test", 365 * DAY, now()).unwrap();
        let former = Authority::new("test", 365 * DAY, now() - 200 * DAY).unwrap();
        Record {
            signing: Signing {
                certificate: authority.certificate().clone(),
                key: authority.key_pem().clone(),
            },
            leaves_until: now() + 7 * DAY,
            former: vec![Former { certificate: former.certificate().clone(), until: now() + DAY }],
        }
    }

    #[test]
    fn what_was_written_is_read_as_it_was() {
        let record = record();
        let read = Record::read(&record.write().unwrap()).unwrap();
        assert_eq!(read, record);
        assert_eq!(read.signing.key.expose(), record.signing.key.expose());
    }

    #[test]
    fn an_authority_that_somebody_else_put_there_is_taken() {
        let mut data = record().write().unwrap();
        data.remove(TRUST);
        let read = Record::read(&data).unwrap();
        assert_eq!((read.leaves_until, read.former.len()), (UNIX_EPOCH, 0));
    }

    #[test]
    fn what_is_of_no_use_is_told_without_a_word_of_what_it_holds() {
        let other = record().write().unwrap();
        let leaf =
            Authority::new("test", DAY, now()).unwrap().issue(&["a.svc".to_owned()], DAY, now()).unwrap();
        let text = |text: &str| Some(ByteString(text.as_bytes().to_vec()));
        for (key, value, expected) in [
            (CERTIFICATE, None, "no tls.crt"),
            (CERTIFICATE, text("leaked"), "no certificate of an authority"),
            (CERTIFICATE, text(&leaf.certificate_pem), "it is a server's"),
            (CERTIFICATE, other.get(CERTIFICATE).cloned(), "does not belong"),
            (KEY, None, "no tls.key"),
            (KEY, text("leaked"), "key cannot be read"),
            (KEY, Some(ByteString(vec![0xff])), "not as text"),
            (TRUST, text("leaked"), "trust.json cannot be read"),
            (TRUST, text(r#"{"leavesUntil":"leaked"}"#), "trust.json cannot be read"),
            (
                TRUST,
                text(
                    r#"{"leavesUntil":"2026-01-01T00:00:00Z","former":[{"certificate":"leaked","until":"2026-01-01T00:00:00Z"}]}"#,
                ),
                "trust.json cannot be read",
            ),
        ] {
            let mut data = record().write().unwrap();
            data.remove(key);
            data.extend(value.map(|value| (key.to_owned(), value)));
            let message = Record::read(&data).unwrap_err().to_string();
            assert!(message.contains(expected), "{key}: {message}");
            assert!(!message.contains("leaked"), "{key}: {message}");
        }
    }

    #[test]
    fn debug_output_shows_no_key() {
        let shown = format!("{:?}", record());
        assert!(!shown.contains("PRIVATE") && shown.contains("redacted"), "{shown}");
    }
}
