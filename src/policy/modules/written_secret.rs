//! Tells whoever writes a Secret that modules are pulled with what Lifecycle Manager will make of it.

use k8s_openapi::api::core::v1::Secret;

use crate::configuration::{Action, FindingKind, Modules};
use crate::knowledge::Snapshot;
use crate::model::json::Json;
use crate::model::keyring::{ImagePattern, Keyring};
use crate::model::module::{Content, SECRET_LABEL, SelectedSecret};
use crate::model::pruned::Pruned;
use crate::policy::shown::shown;
use crate::policy::{Decision, Reason, Warnings};
use crate::review::Request;

/// What is said of the Secret that a request writes, if it writes one.
pub(super) fn decide(request: &Request<'_>, known: &Snapshot, rules: &Modules) -> Decision {
    match request.object {
        Some(object) if concerns(object.into(), request.old_object.map(Json::from)) => {
            match serde_json::from_str::<Pruned<Secret>>(object.get()) {
                Ok(Pruned(secret)) => judge(&secret, request.namespace(), known, rules),
                Err(error) => Decision::unreadable("Secret", &error),
            }
        }
        _ => Decision::allow(Reason::NotConcerned),
    }
}

/// Whether modules may be pulled with it, and something of it changes that matters for that.
fn concerns(secret: Json<'_>, old: Option<Json<'_>>) -> bool {
    let is_labelled = secret.at(&["metadata", "labels", SECRET_LABEL]).is_some();
    let parts: [&[&str]; 3] = [&["type"], &["data"], &["metadata", "labels"]];
    let differs = |old: Json<'_>| {
        parts.iter().any(|part| old.at(part).map(Json::raw) != secret.at(part).map(Json::raw))
    };
    is_labelled && !secret.is_terminating() && old.is_none_or(differs)
}

fn judge(secret: &Secret, namespace: &str, known: &Snapshot, rules: &Modules) -> Decision {
    let selected = SelectedSecret::from(secret);
    let mut warnings = Warnings::default();
    let mut warn = |kind: FindingKind, text: String| {
        if rules.action(kind) != Action::Ignore {
            warnings.add(text);
        }
    };
    if !rules.looks_in(namespace) {
        warn(
            FindingKind::SecretElsewhere,
            format!(
                "Lifecycle Manager looks for no Secret in {namespace}, by modules.secretNamespaces of regcred"
            ),
        );
    }
    match &selected.content {
        Content::OtherType(secret_type) => warn(
            FindingKind::UnusableSecret,
            format!(
                "Lifecycle Manager passes over a Secret of type {}: write a new one, of kubernetes.io/dockerconfigjson",
                shown(secret_type)
            ),
        ),
        Content::Broken(reason) => warn(
            FindingKind::UnusableSecret,
            format!("no module can be pulled with this Secret, nor with others beside it: {reason}"),
        ),
        Content::Keys(keys) if keys.keyring().is_empty() => warn(
            FindingKind::UncoveredRegistry,
            "this Secret has credentials for no registry: modules would be pulled without any".to_owned(),
        ),
        Content::Keys(keys) => {
            if keys.has_an_empty_one() {
                warn(
                    FindingKind::UncoveredRegistry,
                    "the entry of a registry is empty: modules there would be pulled without credentials"
                        .to_owned(),
                );
            }
            if let Some((credential, registry)) = uncovered(secret, keys.keyring(), known) {
                warn(
                    FindingKind::UncoveredRegistry,
                    format!(
                        "no credentials for {}, whose modules are to be pulled with it by moduleLabels of regcred {}",
                        shown(&registry),
                        shown(credential)
                    ),
                );
            }
        }
    }
    if !selected.is_managed {
        warn(
            FindingKind::UnmanagedSecret,
            "Lifecycle Manager before 2024 wants label operator.kyma-project.io/managed-by: lifecycle-manager".to_owned(),
        );
    }
    let reason = if warnings.texts().is_empty() { Reason::Accepted } else { Reason::Warned };
    Decision { warnings, ..Decision::allow(reason) }
}

/// A credential that labels modules so that this Secret is selected, and a registry of them that it has no key for.
fn uncovered<'a>(secret: &Secret, keys: &Keyring, known: &'a Snapshot) -> Option<(&'a str, String)> {
    let labels = secret.metadata.labels.clone().unwrap_or_default();
    let mut hosts = keys.hosts();
    // go-containerregistry does not look for Docker Hub under its short name.
    hosts.remove("docker.io");
    // Hosts may be globs on either side. What is no pattern of an image is in no module's address.
    let is_covered = |registry: &str| {
        ImagePattern::parse(registry)
            .map_or(true, |registry| hosts.iter().any(|host| registry.may_be_of_host(host)))
    };
    known.credentials.values().find_map(|credential| {
        credential.module_labels.as_ref().filter(|selector| selector.selects(&labels))?;
        let registries = known.keyring(credential)?.hosts();
        let mut registries = registries.into_iter().filter(|host| credential.may_be_for_host(host));
        Some((&*credential.name, registries.find(|host| !is_covered(host))?))
    })
}
