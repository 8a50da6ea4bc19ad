//! The Event objects.

use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::core::ObjectMeta;
use serde_json::{Value, json};

use super::ledger::Repetition;
use super::{Kind, Occurrence, Regarding};

/// Who tells it.
const REPORTER: &str = "regcred";
/// Where Events about objects without a namespace are.
const NAMESPACE_OF_THE_REST: &str = "default";
/// The longest note, in bytes, that the API server takes.
const NOTE_LENGTH: usize = 1_024;
/// The longest name of a reporting instance, in bytes, that the API server takes.
pub(super) const INSTANCE_LENGTH: usize = 128;
/// How much of the object's name is in that of the Event. The name of an object has 253 bytes at most; this leaves room
/// for the end that makes it the only one.
const NAME_LENGTH: usize = 200;

/// The namespace of the Events about an object.
pub(super) fn namespace_of(regarding: &Regarding) -> &str {
    regarding.namespace.as_deref().unwrap_or(NAMESPACE_OF_THE_REST)
}

/// The Event of something that has happened the first time.
pub(super) fn event_of(occurrence: &Occurrence, instance: &str, random: u64, wall_clock: Timestamp) -> Event {
    let regarding = &occurrence.regarding;
    // A name goes on after a dot only if it does not end in one, or in a dash.
    let name = cut(&regarding.name, NAME_LENGTH).trim_end_matches(['.', '-']);
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{name}.{random:016x}")),
            namespace: Some(namespace_of(regarding).to_owned()),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(wall_clock)),
        regarding: Some(regarding.reference()),
        reason: Some(occurrence.reason.to_owned()),
        action: Some(occurrence.action.to_owned()),
        note: Some(note(&occurrence.note)),
        type_: Some(type_of(occurrence.kind).to_owned()),
        reporting_controller: Some(REPORTER.to_owned()),
        reporting_instance: Some(instance.to_owned()),
        ..Event::default()
    }
}

/// A merge patch that says how often it has happened by now.
pub(super) fn repetition_patch(repetition: &Repetition) -> Value {
    json!({"series": {"count": repetition.count, "lastObservedTime": MicroTime(repetition.last)}})
}

fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Normal => "Normal",
        Kind::Warning => "Warning",
    }
}

fn note(text: &str) -> String {
    const ELLIPSIS: char = '…';
    if text.len() <= NOTE_LENGTH {
        return text.to_owned();
    }
    format!("{}{ELLIPSIS}", cut(text, NOTE_LENGTH - ELLIPSIS.len_utf8()))
}

/// The beginning of a text, in at most so many bytes.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Namespace, Secret};

    use super::*;
    use crate::api::RegistryCredential;

    fn event(regarding: Regarding, note: &str) -> Event {
        let occurrence = Occurrence {
            regarding,
            kind: Kind::Warning,
            reason: "CopyRefused",
            action: "Copy",
            note: note.to_owned(),
        };
        event_of(&occurrence, "regcred-0", 0xAB, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn an_event_is_in_the_namespace_of_its_object_or_in_default() {
        for (regarding, api_version, namespace) in [
            (Regarding::new::<Secret>(Some("team-a"), "regcred-ghcr", Some("u")), "v1", "team-a"),
            (Regarding::new::<Namespace>(Some("team-a"), "team-a", None), "v1", "team-a"),
            (Regarding::new::<RegistryCredential>(None, "ghcr", None), "regcred.dev/v1alpha1", "default"),
        ] {
            let event = event(regarding.clone(), "text");
            assert_eq!(event.metadata.namespace.as_deref(), Some(namespace));
            let reference = event.regarding.unwrap();
            assert_eq!(reference.api_version.as_deref(), Some(api_version));
            assert_eq!(reference.namespace, regarding.namespace, "or the API server refuses it");
        }
    }

    #[test]
    fn a_note_is_cut_between_characters_to_what_an_event_holds() {
        let regarding = || Regarding::new::<Namespace>(None, "team-a", None);
        assert_eq!(event(regarding(), &"é".repeat(512)).note.unwrap(), "é".repeat(512));
        let cut = event(regarding(), &"é".repeat(513)).note.unwrap();
        assert!(cut.len() <= 1_024 && cut.len() > 1_000 && cut.ends_with("é…"), "{}", cut.len());
    }

    #[test]
    fn the_name_of_an_event_is_a_name_also_for_the_longest_object() {
        for name in ["a".repeat(253), format!("{}-.{}", "a".repeat(198), "b".repeat(50)), "ghcr".to_owned()] {
            let event = event(Regarding::new::<Secret>(Some("team-a"), &name, None), "text");
            let name = event.metadata.name.unwrap();
            assert!(name.len() <= 253 && name.ends_with("00000000000000ab"), "{name}");
            assert!(!name.contains("..") && !name.contains("-."), "{name}");
        }
    }
}
