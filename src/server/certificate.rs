//! Reads the certificate and its key from their directory, as one pair.
//!
//! The kubelet updates a mounted Secret by pointing the symlink `..data` at a new directory. Reading the two
//! files through the symlink could take one from before and one from after the change, so the symlink is
//! resolved once and both files are read below what it pointed to.

#[cfg(test)]
mod tests;

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};

const CERTIFICATE_FILE: &str = "tls.crt";
const KEY_FILE: &str = "tls.key";

/// A Secret holds at most 1 MiB, so no file of one is larger.
const LARGEST_FILE: u64 = 1024 * 1024;

/// The directory can be replaced between resolving it and reading below it; then it is resolved anew.
/// The kubelet needs a second and more between two changes, so a third try meets a quiet directory.
const TRIES: usize = 3;

/// A certificate with its key, fit to be served.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) pair: CertifiedKey,
    pub(super) not_after: SystemTime,
    /// The names that it is valid for, for the log.
    pub(super) names: Vec<String>,
}

/// The two files as they are, with a fingerprint to notice a change. Not `Debug`: it holds the key.
pub(super) struct PairFiles {
    directory: PathBuf,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file or the directory cannot be read.
    #[error(
        "cannot read {path}: {source}; mount the TLS Secret there, or name its directory with --tls-directory"
    )]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// Why it was not.
        source: io::Error,
    },
    /// The file holds no certificate.
    #[error(
        "{path} holds no usable certificate ({reason}); it must be PEM, the server's own certificate first"
    )]
    NoCertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file holds no key.
    #[error("{path} holds no usable private key; it must be PEM, in PKCS #8, PKCS #1 or SEC1")]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Each file is fine, but they do not belong together.
    #[error(
        "the key in {directory}/tls.key does not belong to the certificate in tls.crt; write both from one issuance"
    )]
    Mismatch {
        /// The directory of both.
        directory: PathBuf,
    },
    /// The certificate is no longer valid.
    #[error("the certificate in {path} expired at {not_after}; issue a new one")]
    Expired {
        /// The file.
        path: PathBuf,
        /// When it expired.
        not_after: String,
    },
    /// The TLS library does not take the pair.
    #[error("the certificate in {directory} cannot be used: {reason}")]
    Unusable {
        /// The directory of both files.
        directory: PathBuf,
        /// What the library says.
        reason: String,
    },
}

impl PairFiles {
    /// Reads both files through one resolved directory.
    pub(super) fn read(directory: &Path) -> Result<Self, CertificateError> {
        let mut last = None;
        for _ in 0..TRIES {
            match Self::read_once(directory) {
                Ok(files) => return Ok(files),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| unreadable(directory, io::ErrorKind::NotFound.into())))
    }

    fn read_once(directory: &Path) -> Result<Self, CertificateError> {
        let resolved = resolve(directory)?;
        let certificate = read_file(&resolved.join(CERTIFICATE_FILE))?;
        let key = read_file(&resolved.join(KEY_FILE))?;
        Ok(Self { directory: resolved, certificate, key })
    }

    /// Changes with the content of either file. For noticing a change within this process only.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.certificate.hash(&mut hasher);
        self.key.hash(&mut hasher);
        hasher.finish()
    }

    /// Makes a servable certificate of them, or says why not.
    pub(super) fn parse(
        self,
        provider: &CryptoProvider,
        now: SystemTime,
    ) -> Result<Certificate, CertificateError> {
        let certificate_path = self.directory.join(CERTIFICATE_FILE);
        let no_certificate =
            |reason: String| CertificateError::NoCertificate { path: certificate_path.clone(), reason };
        let chain = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| no_certificate(error.to_string()))?;
        let own = chain.first().ok_or_else(|| no_certificate("no CERTIFICATE block".to_owned()))?;
        let (not_after, names) = describe(own).map_err(no_certificate)?;
        if not_after <= now {
            return Err(CertificateError::Expired {
                path: certificate_path,
                not_after: timestamp(not_after),
            });
        }
        // The reader's own message is left out: nothing of a key file goes into a message.
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| CertificateError::NoKey { path: self.directory.join(KEY_FILE) })?;
        let pair = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                CertificateError::Mismatch { directory: self.directory.clone() }
            }
            other => {
                CertificateError::Unusable { directory: self.directory.clone(), reason: other.to_string() }
            }
        })?;
        Ok(Certificate { pair, not_after, names })
    }
}

/// The one directory below which both files are read.
fn resolve(directory: &Path) -> Result<PathBuf, CertificateError> {
    let data = directory.join("..data");
    match fs::canonicalize(&data) {
        Ok(resolved) => Ok(resolved),
        // Not a directory of the kubelet's: files written by hand or by another tool.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::canonicalize(directory).map_err(|error| unreadable(directory, error))
        }
        Err(error) => Err(unreadable(&data, error)),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let mut content = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(LARGEST_FILE).read_to_end(&mut content))
        .map_err(|error| unreadable(path, error))?;
    Ok(content)
}

fn unreadable(path: &Path, source: io::Error) -> CertificateError {
    CertificateError::Unreadable { path: path.to_owned(), source }
}

/// The expiry and the names of a certificate.
fn describe(certificate: &CertificateDer<'_>) -> Result<(SystemTime, Vec<String>), String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|error| error.to_string())?;
    let seconds = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or_default();
    let names = parsed
        .subject_alternative_name()
        .ok()
        .flatten()
        .map(|extension| extension.value.general_names.iter().filter_map(dns_name).collect())
        .unwrap_or_default();
    Ok((UNIX_EPOCH + Duration::from_secs(seconds), names))
}

fn dns_name(name: &x509_parser::extensions::GeneralName<'_>) -> Option<String> {
    match name {
        x509_parser::extensions::GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    }
}

/// A time as RFC 3339, for messages.
pub(super) fn timestamp(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(|_| "an unknown time".to_owned(), |time| time.to_string())
}
