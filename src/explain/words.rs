//! What decides, in sentences.

use super::sheet::{self, ImageLine, Named, Said, Standing, Told};
use super::source::Cluster;
use crate::api::Mode;
use crate::model::consent::Dissent;
use crate::model::copy::Obstacle;
use crate::model::credential::{Credential, NotOffered, Offer};
use crate::model::source::SourceState;
use crate::policy::explain::{Answer, CopyState, CredentialExplained, LeftAlone, Verdict, Why};

pub(super) fn left_alone(why: LeftAlone) -> &'static str {
    match why {
        LeftAlone::SystemNamespace => "regcred keeps out of namespaces that begin with kube-, and of its own",
        LeftAlone::Mirror => {
            "it is the mirror of a static pod, which its node would delete if it were changed"
        }
        LeftAlone::PodOptsOut => "its label regcred.dev/inject: disabled opts out",
        LeftAlone::NamespaceOptsOut => "its namespace's label regcred.dev/inject: disabled opts out",
        LeftAlone::NamespaceAbsent => "there is no such namespace, so the API server refuses it",
        LeftAlone::NamespaceEnding => "its namespace is being deleted, so the API server refuses it",
    }
}

/// What a credential says of an image; `hidden` is why its source could not be read.
pub(super) fn said(credential: &Credential, answer: &Answer, hidden: Option<&String>) -> Said {
    let source = &credential.source;
    let (answers, why) = match (answer, hidden) {
        (Answer::Key(key), _) => ("yes", format!("key {key} of Secret {source} answers")),
        (Answer::NoKey, _) => ("no", format!("no key of Secret {source} answers")),
        (Answer::NotCovered, _) => ("no", "its spec.images do not cover it".to_owned()),
        (Answer::KeysUnknown, Some(reason)) => (
            "unknown",
            format!("Secret {source}, which the server can read, could not be read here: {reason}"),
        ),
        (Answer::KeysUnknown, None) => (
            "unknown",
            format!(
                "Secret {source} is missing, broken or no registry Secret; until its keys are known it counts as needed"
            ),
        ),
    };
    Said { name: credential.name.to_string(), answers, why }
}

pub(super) fn credential(
    explained: &CredentialExplained,
    standing: Standing,
    cluster: &Cluster,
) -> sheet::Credential {
    let place = &explained.place;
    sheet::Credential {
        name: explained.credential.name.to_string(),
        mode: match explained.credential.mode {
            Mode::Enforce => "Enforce",
            Mode::Audit => "Audit",
        },
        pull_secret: Named { namespace: place.namespace.to_string(), name: place.name.to_string() },
        offered: offered(explained),
        copy: copy(explained, cluster),
        verdict: verdict(explained, standing, cluster.exists),
    }
}

fn offered(explained: &CredentialExplained) -> Told {
    let name = &explained.credential.name;
    let (is, why) = match explained.offer {
        Offer::Yes => ("yes", "its spec names or selects the namespace".to_owned()),
        Offer::DependsOnLabels => {
            ("unknown", "the namespace's labels decide, and they could not be read".to_owned())
        }
        Offer::No(why) => (
            "no",
            match why {
                NotOffered::Excluded => "its spec.excludeNamespaces names the namespace".to_owned(),
                NotOffered::NotNamed => "its spec.namespaces does not name the namespace".to_owned(),
                NotOffered::NotSelected => {
                    "neither its spec.namespaces nor its spec.namespaceSelector selects the namespace"
                        .to_owned()
                }
                NotOffered::OutOfScope => "regcred is limited to other namespaces (--namespaces)".to_owned(),
                NotOffered::Dissent(Dissent::Refused) => {
                    format!("the namespace's label refuse.regcred.dev/{name}: \"true\" refuses it")
                }
                NotOffered::Dissent(Dissent::NotAccepted) => {
                    format!("the namespace has no label accept.regcred.dev/{name}: \"true\"")
                }
            },
        ),
    };
    Told { is, why }
}

fn copy(explained: &CredentialExplained, cluster: &Cluster) -> Told {
    let source = &explained.credential.source;
    let is_there = matches!(explained.copy, CopyState::There | CopyState::Marked | CopyState::IsSource);
    if let Some(reason) = cluster.hidden.get(&explained.place).filter(|_| !is_there) {
        return Told { is: "unknown", why: format!("it could not be read: {reason}") };
    }
    let is_source_hidden = cluster.hidden.contains_key(source);
    let (is, why) = match &explained.copy {
        CopyState::There => ("there", "it is there".to_owned()),
        CopyState::Marked => {
            ("marked", "it is marked to be deleted, which a pod that needs it undoes".to_owned())
        }
        CopyState::IsSource => ("source", "the source itself stands in its place".to_owned()),
        CopyState::ToBeCreated => {
            ("missing", format!("it is not there yet and is created from Secret {source}"))
        }
        CopyState::SourceMissing if is_source_hidden => {
            ("unknown", format!("it is not there; whether Secret {source} can be copied could not be read"))
        }
        CopyState::SourceMissing => (
            SourceState::Missing.word(),
            format!("it is not there, and Secret {source} is missing or no registry Secret: create that"),
        ),
        CopyState::SourceBroken(defect) => {
            (defect.word(), format!("it is not there, and Secret {source} is not carried: {defect}"))
        }
        CopyState::Blocked(obstacle) => blocked(obstacle),
        CopyState::NotLookedAt => ("not_looked_at", "nothing depends on it".to_owned()),
    };
    Told { is, why }
}

fn blocked(obstacle: &Obstacle) -> (&'static str, String) {
    let why = match obstacle {
        Obstacle::Foreign => {
            "a Secret that is not regcred's stands in its place: delete that, or set another spec.copyName"
                .to_owned()
        }
        Obstacle::Rival(rival) => format!(
            "the copy of RegistryCredential {rival} stands, or is to stand, in its place: set another spec.copyName in one"
        ),
        Obstacle::Source => {
            "the source of another RegistryCredential belongs in its place: set another spec.copyName"
                .to_owned()
        }
        Obstacle::Passing(reason) => format!("it cannot be created now: {reason}"),
        Obstacle::Lasting(reason) => format!("it cannot be created: {reason}"),
        Obstacle::NamespaceGone => "its namespace is gone".to_owned(),
    };
    (obstacle.word(), why)
}

fn verdict(explained: &CredentialExplained, standing: Standing, exists: bool) -> Told {
    let (is, why) = match &explained.verdict {
        Verdict::Named => ("named", "the pod names it already".to_owned()),
        Verdict::WouldAdd if standing == Standing::Unknown => {
            ("unknown", "it is added if what could not be read allows it".to_owned())
        }
        Verdict::WouldAdd if exists => (
            "lacking",
            "it would be added to a new pod, but this one was created without it: delete the pod, so that it comes anew"
                .to_owned(),
        ),
        Verdict::WouldAdd => ("would_add", "it would be added".to_owned()),
        Verdict::Never(Why::LabelsUnknown) => {
            ("unknown", "it is added if the labels of the namespace allow it".to_owned())
        }
        Verdict::Never(why) => ("never", never(why)),
    };
    Told { is, why }
}

fn never(why: &Why) -> String {
    match why {
        Why::LeftAlone(why) => format!("not added: {}", left_alone(*why)),
        Why::NotOffered(_) | Why::LabelsUnknown => "not added: the namespace is not offered it".to_owned(),
        Why::Audit => "not added: its spec.mode is Audit, or else it would be".to_owned(),
        Why::Mirror => "not added: pods annotated kubernetes.io/config.mirror may name no Secrets".to_owned(),
        Why::GuardedAccount(account) => format!(
            "not added: ServiceAccount {account} is annotated kubernetes.io/enforce-mountable-secrets and allows only \
             the Secrets in its imagePullSecrets: add it there"
        ),
        Why::Copy => "not added: its copy cannot be had".to_owned(),
    }
}

pub(super) fn summary(
    images: &[ImageLine],
    state: Standing,
    credentials: &[(&CredentialExplained, Standing)],
    exists: bool,
) -> String {
    let of = |state: Standing| -> Vec<&str> {
        images.iter().filter(|image| image.state == state).map(|image| image.image.as_str()).collect()
    };
    let mut names: Vec<&str> = credentials
        .iter()
        .filter(|(one, _)| one.verdict == Verdict::WouldAdd && !exists)
        .map(|(one, _)| &*one.place.name)
        .collect();
    names.dedup();
    match state {
        Standing::Unknown => {
            format!("it cannot be told whether these images can be pulled: {}", of(state).join(", "))
        }
        Standing::Lacks => format!("these images lack a pull Secret of regcred: {}", of(state).join(", ")),
        Standing::Served if names.is_empty() => "nothing lacks, and nothing is added".to_owned(),
        Standing::Served => format!("nothing lacks; added: {}", names.join(", ")),
    }
}
