//! The `caBundle` of our own webhook entries: which entries are ours, what they trust, and the patch that changes it.
//!
//! Ours is an entry of the two configurations that carry our name, if its own name is in our domain and it calls us, by
//! our Service or by a URL with a host of ours. Whatever else somebody has put there, also into the same configuration, is not looked at.

use json_patch::Patch;
use json_patch::jsonptr::Token;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use kube::api::ObjectMeta;

use super::address::Address;
use crate::certificates::TrustAnchor;
use crate::model::guarded_patch::{Guard, GuardedPatch};

/// The name of both configurations.
pub(super) const CONFIGURATION: &str = "regcred";
/// What the names of our entries end with.
const DOMAIN: &str = ".regcred.dev";

/// Which of the two configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Mutating,
    Validating,
}

/// One of the two configurations, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Configuration {
    pub(super) kind: Kind,
    pub(super) uid: String,
    pub(super) resource_version: String,
    /// Those entries of it that are ours.
    pub(super) entries: Vec<Entry>,
    /// The names of those that have a name of ours, and call somebody else by a URL.
    pub(super) elsewhere: Vec<String>,
}

/// A webhook entry of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its place in the configuration.
    pub(super) place: usize,
    pub(super) name: String,
    /// What it trusts.
    pub(super) anchors: Vec<TrustAnchor>,
}

impl Entry {
    pub(super) fn trusts(&self, anchor: &TrustAnchor) -> bool {
        self.anchors.contains(anchor)
    }
}

/// Reads the mutating one.
pub(super) fn of_mutating(read: &MutatingWebhookConfiguration, address: &Address) -> Configuration {
    let webhooks = read.webhooks.iter().flatten();
    let entries = webhooks.map(|webhook| (webhook.name.as_str(), &webhook.client_config));
    configuration(Kind::Mutating, &read.metadata, entries, address)
}

/// Reads the validating one.
pub(super) fn of_validating(read: &ValidatingWebhookConfiguration, address: &Address) -> Configuration {
    let webhooks = read.webhooks.iter().flatten();
    let entries = webhooks.map(|webhook| (webhook.name.as_str(), &webhook.client_config));
    configuration(Kind::Validating, &read.metadata, entries, address)
}

fn configuration<'a>(
    kind: Kind,
    metadata: &ObjectMeta,
    entries: impl Iterator<Item = (&'a str, &'a WebhookClientConfig)>,
    address: &Address,
) -> Configuration {
    let ours = |(place, (name, client)): (usize, (&str, &WebhookClientConfig))| {
        let is_ours = name.ends_with(DOMAIN) && address.is_called_by(client);
        let bundle = client.ca_bundle.as_ref().map_or(&[][..], |bundle| &bundle.0);
        is_ours.then(|| Entry { place, name: name.to_owned(), anchors: TrustAnchor::in_bundle(bundle) })
    };
    let entries: Vec<_> = entries.collect();
    let elsewhere =
        entries.iter().filter(|(name, client)| name.ends_with(DOMAIN) && address.is_passed_over_by(client));
    Configuration {
        kind,
        uid: metadata.uid.clone().unwrap_or_default(),
        resource_version: metadata.resource_version.clone().unwrap_or_default(),
        elsewhere: elsewhere.map(|(name, _)| (*name).to_owned()).collect(),
        entries: entries.into_iter().enumerate().filter_map(ours).collect(),
    }
}

/// What one entry is to trust from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) place: usize,
    pub(super) name: String,
    pub(super) anchors: Vec<TrustAnchor>,
}

/// The patch that makes these changes to exactly the configuration that was read. It does not apply to another of the
/// same name, nor if anything in this one has changed since, nor (should a place have another meaning after all) to
/// another entry.
pub(super) fn patch(configuration: &Configuration, changes: &[Change]) -> Patch {
    let guard = Guard {
        uid: configuration.uid.as_str().into(),
        resource_version: configuration.resource_version.as_str().into(),
    };
    let mut patch = GuardedPatch::new(&guard);
    for change in changes {
        let field = |fields: &[&'static str]| {
            let entry = [Token::from("webhooks"), change.place.into()];
            entry.into_iter().chain(fields.iter().map(|field| Token::from(*field))).collect::<Vec<_>>()
        };
        patch = patch
            .test(field(&["name"]), &change.name)
            .add(field(&["clientConfig", "caBundle"]), serde_json::json!(bundle(&change.anchors)));
    }
    patch.build()
}

/// As the API server stores it: PEM blocks, one after the other.
fn bundle(anchors: &[TrustAnchor]) -> ByteString {
    ByteString(anchors.iter().map(TrustAnchor::to_pem).collect::<String>().into_bytes())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::{Value, json};

    use super::*;
    use crate::certificates::Authority;

    fn anchor() -> TrustAnchor {
        let now = UNIX_EPOCH + Duration::from_hours(490_896);
        Authority::new("test", Duration::from_hours(1), now).unwrap().certificate().clone()
    }

    fn webhook(name: &str, service: &str, namespace: &str) -> Value {
        json!({
            "name": name,
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "clientConfig": {"service": {"name": service, "namespace": namespace, "path": "/mutate/pods"}},
        })
    }

    fn stored(webhooks: &Value) -> Value {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "regcred", "uid": "the-uid", "resourceVersion": "7"},
            "webhooks": webhooks,
        })
    }

    fn read(stored: &Value) -> Configuration {
        let address = Address::new("regcred-system", &["regcred.example.com".to_owned()]);
        of_mutating(&serde_json::from_value(stored.clone()).unwrap(), &address)
    }

    #[test]
    fn only_entries_of_our_domain_that_call_us_are_ours() {
        let by_url = |name: &str, url: &str| {
            let mut webhook = webhook(name, "regcred", "regcred-system");
            webhook["clientConfig"] = json!({"url": url});
            webhook
        };
        let read = read(&stored(&json!([
            webhook("foreign.example.com", "regcred", "regcred-system"),
            webhook("inject-pull-secrets.regcred.dev", "regcred", "regcred-system"),
            webhook("other-service.regcred.dev", "other", "regcred-system"),
            webhook("other-namespace.regcred.dev", "regcred", "other"),
            by_url("elsewhere.regcred.dev", "https://elsewhere.example/mutate/pods"),
            by_url("url.example.com", "https://regcred.example.com:8443/mutate/pods"),
            by_url("url.regcred.dev", "https://regcred.example.com:8443/mutate/pods"),
            webhook("another.regcred.dev", "regcred", "regcred-system"),
        ])));
        let found: Vec<_> = read.entries.iter().map(|entry| (entry.place, entry.name.as_str())).collect();
        assert_eq!(
            found,
            [(1, "inject-pull-secrets.regcred.dev"), (6, "url.regcred.dev"), (7, "another.regcred.dev")]
        );
        assert_eq!(read.elsewhere, ["elsewhere.regcred.dev"], "of which the operator is told");
        assert_eq!((read.uid.as_str(), read.resource_version.as_str()), ("the-uid", "7"));
    }

    #[test]
    fn a_patch_changes_the_bundle_of_its_entries_and_nothing_else() {
        let (old, new) = (anchor(), anchor());
        let mut object = stored(&json!([
            webhook("foreign.example.com", "foreign", "foreign"),
            webhook("inject-pull-secrets.regcred.dev", "regcred", "regcred-system"),
        ]));
        let before = object.clone();
        for anchors in [vec![old.clone()], vec![new, old]] {
            let change = Change { place: 1, name: "inject-pull-secrets.regcred.dev".to_owned(), anchors };
            let patch = patch(&read(&object), std::slice::from_ref(&change));
            json_patch::patch(&mut object, &patch).unwrap();
            assert_eq!(read(&object).entries[0].anchors, change.anchors);
        }
        object["webhooks"][1]["clientConfig"].as_object_mut().unwrap().remove("caBundle");
        assert_eq!(object, before);
    }

    #[test]
    fn a_patch_does_not_apply_to_anything_but_what_was_read() {
        let object =
            stored(&json!([webhook("inject-pull-secrets.regcred.dev", "regcred", "regcred-system")]));
        let change =
            Change { place: 0, name: "inject-pull-secrets.regcred.dev".to_owned(), anchors: vec![anchor()] };
        let patch = patch(&read(&object), &[change]);
        for (path, value) in [
            ("/metadata/uid", json!("that-of-a-successor")),
            ("/metadata/resourceVersion", json!("8")),
            ("/webhooks/0/name", json!("another.regcred.dev")),
            ("/webhooks", json!([])),
        ] {
            let mut other = object.clone();
            *other.pointer_mut(path).unwrap() = value;
            let unchanged = other.clone();
            assert!(json_patch::patch(&mut other, &patch).is_err(), "{path}");
            assert_eq!(other, unchanged);
        }
        json_patch::patch(&mut object.clone(), &patch).unwrap();
    }
}
