//! Where a change may make a difference.

use crate::cluster::changes::Change;
use crate::knowledge::Snapshot;
use crate::model::ObjectKey;
use crate::model::credential::Credential;

/// The places that a change concerns. A change of a namespace or of a copy concerns few, however many namespaces there are.
pub(super) fn concerned(known: &Snapshot, change: &Change) -> Vec<ObjectKey> {
    match change {
        Change::Copy(place) => vec![place.clone()],
        Change::Status(_) => Vec::new(),
        Change::Namespace(namespace) | Change::Pods(namespace) => in_namespace(known, namespace),
        Change::Credential { name, uid } => {
            let mut places: Vec<ObjectKey> = known.places_of(uid).cloned().collect();
            places.extend(known.credentials.get(name).into_iter().flat_map(|one| offered(known, one)));
            places
        }
        Change::Source(source) => {
            let credentials = known.credentials.values().filter(|one| one.source == *source);
            credentials
                .flat_map(|one| known.places_of(&one.uid).cloned().chain(offered(known, one)))
                .collect()
        }
        Change::Everything => {
            let mut places: Vec<ObjectKey> = known.copies.keys().cloned().collect();
            places.extend(known.credentials.values().flat_map(|one| offered(known, one)));
            places
        }
    }
}

fn in_namespace(known: &Snapshot, namespace: &str) -> Vec<ObjectKey> {
    let mut places: Vec<ObjectKey> = known.copies_in(namespace).map(|(place, _)| place.clone()).collect();
    places.extend(known.credentials.values().map(|one| one.copy_in(namespace)));
    places
}

fn offered<'a>(known: &'a Snapshot, credential: &'a Credential) -> impl Iterator<Item = ObjectKey> + 'a {
    let namespaces = known.namespaces.keys().filter(|name| known.is_offered(credential, name));
    namespaces.map(|name| credential.copy_in(name))
}
