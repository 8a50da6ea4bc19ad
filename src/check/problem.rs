//! What is wrong with an input: where, what, and how to mend it.

use std::fmt;
use std::io;
use std::sync::Arc;

use thiserror::Error;

use super::documents::MAXIMUM_DEPTH;
use super::read::MAXIMUM_MEBIBYTES;
use crate::model::credential::CredentialError;

/// A file, and a line of it where one is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file as it was named; `-` for standard input.
    pub(crate) file: Arc<str>,
    /// From 1.
    pub(crate) line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}", self.file),
            None => formatter.write_str(&self.file),
        }
    }
}

/// An input that could not be read.
#[derive(Debug, Error)]
#[error("{place}: {reason}")]
pub(crate) struct Problem {
    /// Where.
    pub(crate) place: Place,
    /// What.
    #[source]
    pub(crate) reason: Reason,
}

/// What is wrong. No text of the input is repeated but keys and names: it may hold Secrets.
#[derive(Debug, Error)]
pub(crate) enum Reason {
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("is larger than {MAXIMUM_MEBIBYTES} MiB; divide it into several files")]
    TooLarge,
    #[error("is no text in UTF-8")]
    NotText,
    #[error("the folder holds no .yaml, .yml or .json file")]
    EmptyFolder,
    #[error("holds no object")]
    NoObject,
    #[error("holds no ModuleTemplate, and --fix is for those alone")]
    NoModuleTemplate,
    #[error(
        "nests too deep for what regcred adds to it to be worked out; nest no deeper than {MAXIMUM_DEPTH}"
    )]
    TooDeep,
    #[error("is no valid YAML: {0}")]
    Yaml(String),
    #[error("is no valid JSON: {0}")]
    Json(String),
    #[error("is no Kubernetes object: apiVersion or kind is missing")]
    NotAnObject,
    #[error(
        "is no Pod, and regcred explain explains pods; of a Deployment or a Job give the pod template as a Pod"
    )]
    NotAPod,
    #[error("is no AdmissionReview of admission.k8s.io/v1 with a request")]
    NotAReview,
    #[error(
        "an update of {0} needs the object as it is now, of the same kind, namespace and name: give it by --old"
    )]
    NoOldObject(String),
    #[error("RegistryCredential {name} cannot be used: {error}")]
    Credential { name: String, error: CredentialError },
    #[error("RegistryCredential cannot be read: {0}")]
    CredentialForm(serde_json::Error),
    // The error's own text may quote the Secret.
    #[error(
        "Secret {0} cannot be read: data holds base64 text, stringData and metadata.annotations plain text"
    )]
    SecretForm(String),
    #[error("the metadata of {kind} cannot be read: {error}")]
    Metadata { kind: &'static str, error: serde_json::Error },
}

impl Reason {
    /// The problem at a line of a file.
    pub(crate) fn at(self, file: &Arc<str>, line: usize) -> Problem {
        Problem { place: Place { file: Arc::clone(file), line: Some(line) }, reason: self }
    }

    /// The problem with a file as a whole.
    pub(crate) fn with(self, file: &Arc<str>) -> Problem {
        Problem { place: Place { file: Arc::clone(file), line: None }, reason: self }
    }
}
