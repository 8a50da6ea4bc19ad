//! `regcred certificates`: a development certificate as a kustomize overlay of `manifests/`.
//!
//! The authority's key exists only while this runs. To renew the certificate, make both anew and apply the overlay
//! again: the Secret and the `caBundle` change together.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Args;
use jiff::Timestamp;
use thiserror::Error;

use super::authority::{Authority, CertificateError, service_names};
use super::overlay_files::{File, Image, Overlay};
use crate::model::namespace::REGCRED_NAMESPACE;

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// The arguments of `regcred certificates`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// The folder that becomes the overlay; it is created if it is missing
    #[arg(long, value_name = "FOLDER", default_value = "certs/development")]
    pub output: PathBuf,

    /// The kustomize base that the overlay builds on
    #[arg(long, value_name = "FOLDER", default_value = "manifests")]
    pub base: PathBuf,

    /// The namespace that regcred runs in
    #[arg(long, default_value = REGCRED_NAMESPACE)]
    pub namespace: String,

    /// The Service that the API server calls
    #[arg(long, default_value = "regcred")]
    pub service: String,

    /// How long the certificate is valid, in days
    // A year, so that a development cluster outlives its owner's memory of this command by little; ten at most,
    // for what is valid longer is never renewed.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: u32,

    /// The image to run instead of the base's, as REPOSITORY[:TAG] or REPOSITORY@DIGEST
    #[arg(long)]
    pub image: Option<String>,

    /// Overwrite an overlay that is there
    #[arg(long)]
    pub force: bool,
}

/// Why the overlay was not written.
#[derive(Debug, Error)]
pub enum OverlayError {
    /// The certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A file is already there.
    #[error(
        "{} already holds {file}; give --force to replace it by a new certificate, or another folder by --output",
        folder.display()
    )]
    Exists {
        /// The overlay's folder.
        folder: PathBuf,
        /// The first file that would be overwritten.
        file: &'static str,
    },
    /// The base is no kustomization.
    #[error(
        "{} is not a kustomize base (it has no kustomization.yaml); give the folder by --base",
        base.display()
    )]
    NoBase {
        /// The base as it was given.
        base: PathBuf,
    },
    /// Kustomize refuses a base that contains its overlay.
    #[error(
        "{} lies inside the base {}, which kustomize refuses as a cycle; give another folder by --output",
        output.display(),
        base.display()
    )]
    InsideBase {
        /// The overlay's folder.
        output: PathBuf,
        /// The base.
        base: PathBuf,
    },
    /// The file system refused.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// What could not be written.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What was written, which displays as what to do next.
#[derive(Debug)]
pub struct Written {
    /// The overlay's folder, as it was given.
    pub folder: PathBuf,
    /// The names that the certificate is for.
    pub names: Vec<String>,
    /// When the certificate ends.
    pub not_after: SystemTime,
}

impl fmt::Display for Written {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.folder.display();
        writeln!(formatter, "Wrote {folder}: a certificate for {}", self.names.join(" and "))?;
        if let Ok(not_after) = Timestamp::try_from(self.not_after) {
            writeln!(formatter, "valid until {not_after:.0}.")?;
        }
        writeln!(formatter, "Install or renew:  kubectl apply -k {folder}")?;
        write!(formatter, "tls-secret.yaml holds the private key: keep it out of version control.")
    }
}

/// Makes an authority and a certificate and writes them as an overlay.
pub fn write(arguments: &Arguments, now: SystemTime) -> Result<Written, OverlayError> {
    if !arguments.base.join("kustomization.yaml").is_file() {
        return Err(OverlayError::NoBase { base: arguments.base.clone() });
    }
    let lifetime = Duration::from_secs(u64::from(arguments.days) * SECONDS_PER_DAY);
    let names = service_names(&arguments.service, &arguments.namespace);
    let authority = Authority::new("regcred development authority", lifetime, now)?;
    let leaf = authority.issue(&names, lifetime, now)?;
    create_folder(&arguments.output).map_err(|source| failed(&arguments.output, source))?;
    let overlay = Overlay {
        base: base_as_seen_from(&arguments.output, &arguments.base)?,
        namespace: &arguments.namespace,
        authority_pem: &authority.certificate_pem(),
        leaf: &leaf,
        image: arguments.image.as_deref().map(Image::parse),
    };
    let files = overlay.files();
    if !arguments.force {
        refuse_to_overwrite(&arguments.output, &files)?;
    }
    for file in &files {
        let path = arguments.output.join(file.name);
        replace(&path, file).map_err(|source| failed(&path, source))?;
    }
    Ok(Written { folder: arguments.output.clone(), names, not_after: leaf.not_after })
}

fn failed(path: &Path, source: io::Error) -> OverlayError {
    OverlayError::Write { path: path.to_owned(), source }
}

fn create_folder(folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    // A private key will lie in it.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn refuse_to_overwrite(folder: &Path, files: &[File]) -> Result<(), OverlayError> {
    match files.iter().find(|file| folder.join(file.name).exists()) {
        Some(file) => Err(OverlayError::Exists { folder: folder.to_owned(), file: file.name }),
        None => Ok(()),
    }
}

/// Writes beside the target and renames, so that a failure leaves the old file whole, and so that a replaced file
/// has the mode it needs from its first byte on.
fn replace(path: &Path, file: &File) -> io::Result<()> {
    let beside = path.with_file_name(format!("{}.new", file.name));
    let mode = if file.private { 0o600 } else { 0o644 };
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut target = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    target.write_all(file.contents.as_bytes())?;
    target.sync_all()?;
    fs::rename(&beside, path)
}

/// The base as a path relative to the overlay: kustomize takes no absolute one.
fn base_as_seen_from(output: &Path, base: &Path) -> Result<PathBuf, OverlayError> {
    let from = output.canonicalize().map_err(|source| failed(output, source))?;
    let to = base.canonicalize().map_err(|source| failed(base, source))?;
    if from.starts_with(&to) {
        return Err(OverlayError::InsideBase { output: output.to_owned(), base: base.to_owned() });
    }
    let shared = from.components().zip(to.components()).take_while(|(left, right)| left == right).count();
    let up = from.components().skip(shared).map(|_| "..");
    Ok(up
        .map(Path::new)
        .chain(to.components().skip(shared).map(|part| Path::new(part.as_os_str())))
        .collect())
}

#[cfg(test)]
#[path = "overlay_tests.rs"]
mod tests;
