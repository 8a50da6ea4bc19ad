//! Whether the Secrets that a selector selects are of use for a module.

use crate::configuration::{FindingKind, Modules};
use crate::model::keyring::Target;
use crate::model::module::{Content, Repository, SelectedSecret, Selector};
use crate::model::scope::Scope;
use crate::policy::shown::{listed, shown_at_length};

/// What there is to say about the Secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SecretFinding {
    pub(super) kind: FindingKind,
    /// What is so. The names come last, for a long warning is cut at its end.
    pub(super) text: String,
    /// What to do about it.
    pub(super) remedy: &'static str,
    /// Whether it is so whatever there is where regcred sees no Secrets.
    pub(super) is_certain: bool,
}

/// What the Secrets are for.
pub(super) struct Purpose<'a> {
    /// By which they are found.
    pub(super) selector: &'a Selector,
    /// Where the module is.
    pub(super) repository: &'a Repository,
    /// What it is called there.
    pub(super) component: &'a str,
}

/// Judges the Secrets that were found in the namespaces of a scope.
pub(super) fn judge(
    found: &[SelectedSecret],
    purpose: &Purpose<'_>,
    rules: &Modules,
    scope: &Scope,
) -> Vec<SecretFinding> {
    // The order in which they are found is the API server's, or that of files.
    let mut found: Vec<&SelectedSecret> = found.iter().collect();
    found.sort_by(|one, other| one.key.cmp(&other.key));
    let (looked_at, elsewhere): (Vec<_>, Vec<_>) =
        found.iter().partition(|secret| rules.looks_in(&secret.key.namespace));
    let mut findings = of_each(&looked_at);
    let is_certain = rules.looks_within(scope);
    let (no_secret, those) = if is_certain {
        ("no Secret", "the Secrets")
    } else {
        ("no Secret that regcred can see", "the Secrets that regcred can see")
    };
    let mut of_all = |kind, text, remedy| findings.push(SecretFinding { kind, text, remedy, is_certain });
    if found.is_empty() {
        of_all(
            FindingKind::NoSecret,
            format!("{no_secret} has the labels {}", shown_at_length(purpose.selector)),
            "Give them to the Secret for the registry, or correct the labels of the layers.",
        );
    } else if looked_at.is_empty() {
        of_all(
            FindingKind::SecretElsewhere,
            format!("Lifecycle Manager does not look where {those} are: {}", keys(&elsewhere)),
            "Write the Secret in a namespace of modules.secretNamespaces of regcred's configuration.",
        );
    } else {
        let base = shown_at_length(purpose.repository.base());
        let target = purpose.repository.target(purpose.component);
        match SelectedSecret::covering(looked_at.iter().copied(), &target).as_slice() {
            [] => of_all(
                FindingKind::UncoveredRegistry,
                format!("{no_secret} has credentials for {base}, not even: {}", keys(&looked_at)),
                "Add the registry to the auths of the Secret.",
            ),
            covering if covering.iter().all(|secret| is_empty_for(secret, &target)) => of_all(
                FindingKind::UncoveredRegistry,
                format!("the entry for {base} is empty in {}", keys(covering)),
                "Write user name and password into it, which docker login may have put into a credential store.",
            ),
            [_] => {}
            covering => of_all(
                FindingKind::AmbiguousSecrets,
                format!("any one of several Secrets for {base} may be used: {}", keys(covering)),
                "Take the labels from all but one.",
            ),
        }
    }
    findings
}

fn is_empty_for(secret: &SelectedSecret, target: &Target) -> bool {
    match &secret.content {
        Content::Keys(keys) => keys.are_empty_for(target),
        Content::OtherType(_) | Content::Broken(_) => false,
    }
}

/// What is so with single Secrets, of the same kind together.
fn of_each(secrets: &[&SelectedSecret]) -> Vec<SecretFinding> {
    let of_another_type = secrets.iter().filter_map(|secret| match &secret.content {
        Content::OtherType(secret_type) => Some(format!("{} ({})", secret.key, shown_at_length(secret_type))),
        Content::Broken(_) | Content::Keys(_) => None,
    });
    let broken = secrets.iter().filter_map(|secret| match &secret.content {
        Content::Broken(reason) => Some(format!("{} ({})", secret.key, shown_at_length(reason))),
        Content::OtherType(_) | Content::Keys(_) => None,
    });
    let unmanaged = secrets.iter().filter(|secret| !secret.is_managed).map(|secret| secret.key.to_string());
    let together: [(FindingKind, &str, Vec<String>, &'static str); 3] = [
        (
            FindingKind::UnusableSecret,
            "Lifecycle Manager passes over Secrets of another type",
            of_another_type.collect(),
            "Delete it and write it as kubectl create secret docker-registry does.",
        ),
        (
            FindingKind::UnusableSecret,
            "every pull fails because of broken Secrets",
            broken.collect(),
            "Mend it, or take the labels from it.",
        ),
        (
            FindingKind::UnmanagedSecret,
            "no label operator.kyma-project.io/managed-by: lifecycle-manager on",
            unmanaged.collect(),
            "Lifecycle Manager before 2024 wants it: add it.",
        ),
    ];
    let found = together.into_iter().filter(|(_, _, secrets, _)| !secrets.is_empty());
    let findings = found.map(|(kind, what, secrets, remedy)| SecretFinding {
        kind,
        text: format!("{what}: {}", listed(secrets.into_iter())),
        remedy,
        is_certain: true,
    });
    findings.collect()
}

fn keys(secrets: &[&SelectedSecret]) -> String {
    listed(secrets.iter().map(|secret| secret.key.to_string()))
}
