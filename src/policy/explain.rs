//! Why a pod is given which pull Secrets, told by the functions that decide about it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use super::Reason;
use super::inject::{Creation, reason_to_keep_out};
use super::needs::{Answers, Need};
use super::offers::{Place, read_image};
use super::standing::{Ground, Standing};
use crate::api::Mode;
use crate::knowledge::{Fit, Snapshot};
use crate::model::ObjectKey;
use crate::model::copy::{Obstacle, Wanted};
use crate::model::credential::{Credential, NotOffered, Offer};
use crate::model::keyring::Target;
use crate::model::pod::Pod;
use crate::model::source::Defect;
use crate::review::Request;

/// What explaining a pod comes to.
#[derive(Debug)]
pub enum Explained {
    /// Explained.
    Explanation(Explanation),
    /// These must be looked at first, and their answers given to the next step. Nothing is ever to be written.
    Needs(Vec<Need>),
}

/// Why a pod is given what it is given.
#[derive(Debug)]
pub struct Explanation {
    /// Why it is left as it is, whatever is offered.
    pub left_alone: Option<LeftAlone>,
    /// Its images, as written and each once.
    pub images: Vec<ImageExplained>,
    /// The credentials that at least one image needs, by name.
    pub credentials: Vec<CredentialExplained>,
}

/// Why a whole pod is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftAlone {
    /// regcred keeps out of its namespace.
    SystemNamespace,
    /// It is a static pod's mirror.
    Mirror,
    /// Its own label says so.
    PodOptsOut,
    /// Its namespace's label says so.
    NamespaceOptsOut,
    /// There is no such namespace.
    NamespaceAbsent,
    /// Its namespace is being deleted.
    NamespaceEnding,
}

/// An image, and what each credential says of it.
#[derive(Debug)]
pub struct ImageExplained {
    /// As written.
    pub image: String,
    /// By the names of the credentials; `None` for an image that the kubelet cannot read.
    pub fits: Option<Vec<(Arc<Credential>, Answer)>>,
}

/// What a credential says of an image: a [`Fit`] that outlives what it was found in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// This key of its Secret answers.
    Key(String),
    /// No key of its Secret does.
    NoKey,
    /// Its `images` do not cover it.
    NotCovered,
    /// Its Secret's keys are not known.
    KeysUnknown,
}

/// A credential that an image needs.
#[derive(Debug)]
pub struct CredentialExplained {
    /// The credential.
    pub credential: Arc<Credential>,
    /// Where its copy belongs.
    pub place: ObjectKey,
    /// Whether the namespace is offered it.
    pub offer: Offer,
    /// Where its copy stands.
    pub copy: CopyState,
    /// What that means for the pod.
    pub verdict: Verdict,
}

/// Where a copy stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyState {
    /// It is there.
    There,
    /// It is there, and marked to be deleted because no pod needed it; the mark is taken off first.
    Marked,
    /// The source itself stands in its place.
    IsSource,
    /// It is not there, and would be created.
    ToBeCreated,
    /// It is not there, and its source is missing or no registry Secret.
    SourceMissing,
    /// It is not there, and its source cannot be carried.
    SourceBroken(Defect),
    /// Something stands in its way.
    Blocked(Obstacle),
    /// It was not looked at, because nothing depends on it.
    NotLookedAt,
}

/// What a pod that needs a credential comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The pod names the pull Secret itself.
    Named,
    /// It would be added.
    WouldAdd,
    /// It is not added, for this reason.
    Never(Why),
}

/// Why a pull Secret that a pod needs is not added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The whole pod is left as it is.
    LeftAlone(LeftAlone),
    /// The namespace is not offered the credential.
    NotOffered(NotOffered),
    /// Whether it is depends on labels that could not be read.
    LabelsUnknown,
    /// The credential is in mode Audit.
    Audit,
    /// The pod is annotated as a mirror, and such may name no Secrets.
    Mirror,
    /// The pod's ServiceAccount allows only the Secrets that it lists.
    GuardedAccount(ObjectKey),
    /// What [`CredentialExplained::copy`] says.
    Copy,
}

/// Explains a pod that is to be created, or says what is needed for that.
///
/// # Errors
/// When the pod cannot be read.
pub fn explain(
    request: &Request<'_>,
    known: &Snapshot,
    answers: &Answers,
    now: Instant,
) -> Result<Explained, serde_json::Error> {
    let pod = request.object.map(|object| Pod::parse(object.get())).transpose()?.unwrap_or_default();
    let mut seen = HashSet::new();
    let images: Vec<(&str, Option<Target>)> = pod
        .images()
        .filter(|image| seen.insert(*image))
        .map(|image| (image, read_image(image).map(|(_, target)| target)))
        .collect();
    let targets = || images.iter().filter_map(|(_, target)| target.as_ref());
    let needed =
        known.credentials.values().filter(|credential| known.answers(credential, targets()).is_some());
    let needed: Vec<&Arc<Credential>> = needed.collect();

    let namespace = request.namespace();
    let place = Place::of(namespace, known, answers);
    if matches!(place, Place::Unread) && !needed.is_empty() {
        return Ok(Explained::Needs(vec![Need::Namespace(namespace.into())]));
    }
    let left_alone = left_alone(reason_to_keep_out(&pod, &Creation::of(request), known), &place);
    let ground = Ground { known, answers, now, pod: &pod, namespace, seen: place.seen() };
    let mut needs = Vec::new();
    let mut credentials = Vec::new();
    for credential in needed {
        let wanted = Wanted::new(credential, namespace);
        let offer = place.offers(namespace, credential, known);
        let is_named = pod.names_pull_secret(&wanted.place.name);
        let standing =
            (is_named || left_alone.is_none() && offer == Offer::Yes).then(|| ground.standing(&wanted));
        if matches!(standing, Some(Standing::ToBeCreated)) {
            needs.push(Need::Copy { wanted, is_dry_run: true });
            continue;
        }
        let verdict = match (left_alone, offer, standing) {
            _ if is_named => Verdict::Named,
            (Some(why), ..) => Verdict::Never(Why::LeftAlone(why)),
            (None, Offer::No(why), _) => Verdict::Never(Why::NotOffered(why)),
            (None, Offer::DependsOnLabels, _) | (None, Offer::Yes, None) => {
                Verdict::Never(Why::LabelsUnknown)
            }
            (None, Offer::Yes, Some(standing)) => verdict(&ground, credential, standing),
        };
        let copy = copy_state(known, &wanted, standing);
        let (credential, place) = (Arc::clone(credential), wanted.place);
        credentials.push(CredentialExplained { credential, place, offer, copy, verdict });
    }
    if !needs.is_empty() {
        return Ok(Explained::Needs(needs));
    }
    let images = images.iter().map(|(image, target)| ImageExplained {
        image: (*image).to_owned(),
        fits: target.as_ref().map(|target| fits(known, target)),
    });
    let images = images.collect();
    Ok(Explained::Explanation(Explanation { left_alone, images, credentials }))
}

fn left_alone(kept_out: Option<Reason>, place: &Place) -> Option<LeftAlone> {
    match (kept_out, place) {
        (Some(Reason::SystemNamespace), _) => Some(LeftAlone::SystemNamespace),
        (Some(Reason::MirrorPod), _) => Some(LeftAlone::Mirror),
        (Some(_), _) => Some(LeftAlone::PodOptsOut),
        (None, Place::Absent) => Some(LeftAlone::NamespaceAbsent),
        (None, Place::Known(seen)) if seen.terminating => Some(LeftAlone::NamespaceEnding),
        (None, Place::Known(seen)) if seen.opts_out() => Some(LeftAlone::NamespaceOptsOut),
        (None, Place::Known(_) | Place::Unread | Place::Unreadable(_)) => None,
    }
}

fn verdict(ground: &Ground<'_>, credential: &Credential, standing: Standing<'_>) -> Verdict {
    match standing {
        Standing::PodIsMirror => Verdict::Never(Why::Mirror),
        Standing::AccountIsGuarded => Verdict::Never(Why::GuardedAccount(ground.service_account())),
        _ if !standing.is_added() => Verdict::Never(Why::Copy),
        _ if credential.mode == Mode::Audit => Verdict::Never(Why::Audit),
        _ => Verdict::WouldAdd,
    }
}

fn copy_state(known: &Snapshot, wanted: &Wanted, standing: Option<Standing<'_>>) -> CopyState {
    let copy = known.copies.get(&wanted.place);
    if let Some(copy) = copy.filter(|copy| copy.credential_uid == wanted.credential.uid) {
        return if copy.is_marked { CopyState::Marked } else { CopyState::There };
    }
    match standing {
        Some(Standing::Present | Standing::Created) if wanted.place == wanted.credential.source => {
            CopyState::IsSource
        }
        Some(Standing::Present | Standing::Created) => CopyState::There,
        Some(Standing::WouldBeCreated | Standing::ToBeCreated) => CopyState::ToBeCreated,
        Some(Standing::SourceMissing) => CopyState::SourceMissing,
        Some(Standing::SourceBroken(defect)) => CopyState::SourceBroken(defect.clone()),
        Some(Standing::GivesWay(rival)) => CopyState::Blocked(Obstacle::Rival(Arc::clone(rival))),
        Some(Standing::Blocked(obstacle)) => CopyState::Blocked(obstacle.clone()),
        Some(Standing::PodIsMirror | Standing::AccountIsGuarded) | None => CopyState::NotLookedAt,
    }
}

fn fits(known: &Snapshot, image: &Target) -> Vec<(Arc<Credential>, Answer)> {
    let answer = |credential: &Arc<Credential>| {
        let answer = match known.fit(credential, image) {
            // A host can hold bytes that are no text once it has been unescaped.
            Fit::Key(key) => Answer::Key(String::from_utf8_lossy(key).into_owned()),
            Fit::NoKey => Answer::NoKey,
            Fit::NotCovered => Answer::NotCovered,
            Fit::KeysUnknown => Answer::KeysUnknown,
        };
        (Arc::clone(credential), answer)
    };
    known.credentials.values().map(answer).collect()
}

impl Answer {
    /// Whether the image needs the credential, as far as is known.
    pub fn is_needed(&self) -> bool {
        matches!(self, Self::Key(_) | Self::KeysUnknown)
    }
}
