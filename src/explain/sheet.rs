//! An explanation as it is written, for people and for programs.

use serde::Serialize;

use super::source::Cluster;
use super::words;
use crate::model::copy::Obstacle;
use crate::policy::explain::{
    Answer, CopyState, CredentialExplained, Explanation, ImageExplained, Verdict, Why,
};

/// Everything that is said of one pod.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sheet {
    pub(super) pod: Named,
    /// Whether it is there already.
    pub(super) exists: bool,
    /// Why no pull Secret is added whatever is offered.
    pub(super) left_alone: Option<String>,
    pub(super) images: Vec<ImageLine>,
    pub(super) credentials: Vec<Credential>,
    pub(super) state: Standing,
    pub(super) summary: String,
}

/// Namespace and name; an empty name is one that the API server is to generate.
#[derive(Debug, Serialize)]
pub(super) struct Named {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// What an image comes to, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Standing {
    /// It has the pull Secret it needs, or needs none.
    Served,
    /// It lacks one that regcred could give.
    Lacks,
    /// It cannot be told.
    Unknown,
}

/// An image.
#[derive(Debug, Serialize)]
pub(super) struct ImageLine {
    pub(super) image: String,
    pub(super) state: Standing,
    pub(super) why: &'static str,
    pub(super) credentials: Vec<Said>,
}

/// What a credential says of an image.
#[derive(Debug, Serialize)]
pub(super) struct Said {
    pub(super) name: String,
    /// `yes`, `no` or `unknown`.
    pub(super) answers: &'static str,
    pub(super) why: String,
}

/// A credential that an image needs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Credential {
    pub(super) name: String,
    pub(super) mode: &'static str,
    pub(super) pull_secret: Named,
    pub(super) offered: Told,
    pub(super) copy: Told,
    pub(super) verdict: Told,
}

/// A word for programs, and the sentence for people.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    pub(super) is: &'static str,
    pub(super) why: String,
}

impl Sheet {
    pub(super) fn new(namespace: &str, name: &str, explanation: &Explanation, cluster: &Cluster) -> Self {
        let credentials: Vec<(&CredentialExplained, Standing)> = explanation
            .credentials
            .iter()
            .map(|credential| (credential, standing(credential, cluster)))
            .collect();
        let images: Vec<ImageLine> =
            explanation.images.iter().map(|explained| image(explained, &credentials, cluster)).collect();
        let state = images.iter().map(|image| image.state).max().unwrap_or(Standing::Served);
        Self {
            pod: Named { namespace: namespace.to_owned(), name: name.to_owned() },
            exists: cluster.exists,
            left_alone: explanation.left_alone.map(|why| words::left_alone(why).to_owned()),
            summary: words::summary(&images, state, &credentials, cluster.exists),
            images,
            credentials: credentials
                .iter()
                .map(|(one, standing)| words::credential(one, *standing, cluster))
                .collect(),
            state,
        }
    }
}

/// Whether the pod has what a credential that it needs would give it.
fn standing(explained: &CredentialExplained, cluster: &Cluster) -> Standing {
    let is_hidden = cluster.hidden.contains_key(&explained.place)
        || cluster.hidden.contains_key(&explained.credential.source);
    let is_there = matches!(explained.copy, CopyState::There | CopyState::Marked | CopyState::IsSource);
    match explained.verdict {
        Verdict::Named if is_there => Standing::Served,
        Verdict::Named if is_hidden => Standing::Unknown,
        // The pod has made its choice; what it names may well serve it.
        Verdict::Named if matches!(explained.copy, CopyState::Blocked(Obstacle::Foreign)) => Standing::Served,
        Verdict::Named if explained.copy == CopyState::ToBeCreated && !cluster.exists => Standing::Served,
        Verdict::WouldAdd if cluster.exists => Standing::Lacks,
        Verdict::WouldAdd if is_there => Standing::Served,
        Verdict::WouldAdd if is_hidden => Standing::Unknown,
        Verdict::WouldAdd if explained.copy == CopyState::ToBeCreated => Standing::Served,
        Verdict::Never(Why::LabelsUnknown) => Standing::Unknown,
        Verdict::Named | Verdict::WouldAdd | Verdict::Never(_) => Standing::Lacks,
    }
}

fn image(
    explained: &ImageExplained,
    credentials: &[(&CredentialExplained, Standing)],
    cluster: &Cluster,
) -> ImageLine {
    let fits = explained.fits.as_deref().unwrap_or_default();
    let mut needed = fits.iter().filter(|(_, answer)| answer.is_needed()).peekable();
    let needs_any = needed.peek().is_some();
    let states: Vec<(Standing, bool)> = needed
        .filter_map(|(credential, answer)| {
            let found = credentials.iter().find(|(one, _)| one.credential.name == credential.name)?;
            let is_hidden = *answer == Answer::KeysUnknown && cluster.hidden.contains_key(&credential.source);
            Some((found.1, is_hidden))
        })
        .collect();
    let is_served = states.iter().any(|(state, is_hidden)| *state == Standing::Served && !is_hidden);
    let is_unknown = states.iter().any(|(state, is_hidden)| *state == Standing::Unknown || *is_hidden);
    let (state, why) = match (&explained.fits, needs_any) {
        (None, _) => (Standing::Served, "the kubelet cannot read this name, so it pulls nothing"),
        (Some(_), false) => (Standing::Served, "no RegistryCredential is for it; it is pulled without"),
        (Some(_), true) if is_served => {
            (Standing::Served, "it has, or is given, the pull Secret that it needs")
        }
        (Some(_), true) if is_unknown => {
            (Standing::Unknown, "it cannot be told, for not everything may be read")
        }
        (Some(_), true) => (Standing::Lacks, "no RegistryCredential that is for it gives it a pull Secret"),
    };
    let credentials = fits
        .iter()
        .map(|(credential, answer)| words::said(credential, answer, cluster.hidden.get(&credential.source)))
        .collect();
    ImageLine { image: explained.image.clone(), state, why, credentials }
}
