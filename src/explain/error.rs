//! Why a pod could not be explained: what, where, and how to mend it.

use std::io;

use thiserror::Error;

use crate::cluster::kubeconfig::ReadError;

/// Why a pod could not be explained.
#[derive(Debug, Error)]
pub(super) enum ExplainError {
    #[error(
        "nothing to explain: name a pod, as in regcred explain pod team-a/hello, or a file by -f (--help says more)"
    )]
    NothingGiven,
    #[error("standard input can be read once: give - to only one of -f and --state")]
    StandardInputTwice,
    #[error(transparent)]
    Unread(#[from] ReadError),
    #[error(
        "there is no pod {name} in namespace {namespace} of the cluster; kubectl get pods -n {namespace} lists those \
         there are, and regcred explain -f explains one that is not created yet"
    )]
    NoPod { namespace: String, name: String },
    #[error(
        "there is no pod {name} of namespace {namespace} in the files of --state; give the file that it is in by -f"
    )]
    NoPodInFiles { namespace: String, name: String },
    #[error(
        "this cluster knows no RegistryCredentials: regcred is not installed in it (kubectl apply -k manifests/), or \
         it is not the cluster that is meant (kubectl config current-context)"
    )]
    NotInstalled,
    #[error("the explanation could not be written: {0}")]
    Output(io::Error),
}
