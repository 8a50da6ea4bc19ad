//! Secrets against repositories of modules: Lifecycle Manager's keychain.
//!
//! Where we differ on purpose:
//! * What go-containerregistry says of several Secrets with the same key is the chance of a list's order; ours names all of
//!   them, so theirs must be one of ours.
//! * Slashes at the end of a base URL Lifecycle Manager keeps, as no registry does; ours takes them off. These are not asked about.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use regcred::model::keyring::Target;
use regcred::model::module::{Content, Descriptor, Location, SelectedSecret};
use serde_json::json;
use serde_json::value::to_raw_value;

use super::harness::oracle::{Oracle, Question, RegistrySecret};
use super::keyrings::{REPOSITORY_HOSTS, secret};
use super::random::Random;

const CASES: usize = 20_000;
const COMPONENT: &str = "kyma-project.io/module/telemetry";
/// What stands for it where digests do.
const COMPONENT_DIGEST: &str = "f13e9ca8c52996641f6eefb3fe5f0ecdad36ff7f488364d7ff48da8c3598f77d";
const DIGEST: &str = "sha256-digest";
/// What the oracle says of a name from which nothing can be pulled.
const NO_REPOSITORY: &str = "no repository";

/// What a repository context says of its registry: mostly one that a key was meant for.
fn base_url(random: &mut Random, keys: &[String]) -> String {
    let scheme = random.pick(&["", "", "https://", "http://"]);
    let location = if keys.is_empty() || random.once_in(4) {
        format!("{}{}", random.pick(REPOSITORY_HOSTS), random.pick(&["", "", ":5000", ":443"]))
    } else {
        let key = &keys[random.below(keys.len())];
        let location = key.rsplit("//").next().unwrap_or_default().replace('*', "x").replace("/v1/", "/");
        location.trim_end_matches('/').to_owned()
    };
    let path = random.pick(&["", "", "/org", "/org/app"]);
    let url = format!("{scheme}{location}{path}");
    if random.once_in(12) { random.misspell(&url) } else { url }
}

/// A repository context.
struct Context {
    base_url: String,
    sub_path: &'static str,
    mapping: &'static str,
}

impl Context {
    fn any(random: &mut Random, keys: &[String]) -> Self {
        let base_url = base_url(random, keys).trim_end_matches('/').to_owned();
        let sub_path = random.pick(&["", "", "org", "org/app"]);
        let mapping = random.pick(&["", "urlPath", DIGEST]);
        Self { base_url, sub_path, mapping }
    }

    /// Where Lifecycle Manager pulls the layers of the module from (`internal/manifest/img/parse.go`). A path in the base URL is the
    /// sub-path where there is no other (`api/ocm/extensions/repositories/ocireg/specnorm.go` of the OCM library).
    fn repository(&self) -> String {
        let base = no_scheme(&self.base_url);
        let (base, sub_path) = match base.split_once('/') {
            Some((host, path)) if self.sub_path.is_empty() && !host.is_empty() => (host, path),
            _ => (base, self.sub_path),
        };
        match (self.mapping, sub_path) {
            (DIGEST, _) => format!("{base}//{COMPONENT_DIGEST}"),
            (_, "") => format!("{base}/component-descriptors/{COMPONENT}"),
            (_, sub_path) => format!("{base}/{sub_path}/component-descriptors/{COMPONENT}"),
        }
    }

    /// How we look it up; `None` where a URL names none.
    fn target(&self) -> Option<Target> {
        let mut context = json!({"type": "OCIRegistry", "baseUrl": self.base_url});
        for (field, value) in [("subPath", self.sub_path), ("componentNameMapping", self.mapping)] {
            if !value.is_empty() {
                context[field] = value.into();
            }
        }
        let descriptor = to_raw_value(&json!({"meta": {"schemaVersion": "v2"}, "component": {
            "name": COMPONENT, "version": "1.0.0", "provider": "kyma-project.io", "resources": [], "sources": [],
            "componentReferences": [], "repositoryContexts": [context],
        }}));
        let Descriptor::Component(component) = Descriptor::read(Some((&*descriptor.unwrap()).into())) else {
            panic!("a descriptor");
        };
        match component.location {
            Location::Repository(repository) => Some(repository.target(&component.name)),
            _ => None,
        }
    }
}

fn no_scheme(url: &str) -> &str {
    url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(url)
}

/// The Secret, named by its number, as regcred reads it.
fn selected(number: usize, secret: &RegistrySecret) -> SelectedSecret {
    let data =
        secret.data.iter().map(|(key, value)| (key.clone(), ByteString(STANDARD.decode(value).unwrap())));
    let mut read =
        Secret { type_: Some(secret.r#type.clone()), data: Some(data.collect()), ..Secret::default() };
    read.metadata.name = Some(format!("s{number}"));
    SelectedSecret::from(&read)
}

/// The Secrets of which one is used, or that no pull can work with these.
fn ours(secrets: &[RegistrySecret], target: &Target) -> Option<Vec<String>> {
    let read: Vec<_> = secrets.iter().enumerate().map(|(number, secret)| selected(number, secret)).collect();
    if read.iter().any(|secret| matches!(secret.content, Content::Broken(_))) {
        return None;
    }
    let covering = SelectedSecret::covering(read.iter(), target);
    Some(covering.into_iter().map(|secret| secret.key.name.to_string()).collect())
}

/// The Secret of an entry; that of one that names no user, or is misspelt, is not known.
fn secret_of(username: &str) -> Option<&str> {
    let (secret, _) = username.split_once('e')?;
    let number = secret.strip_prefix('s')?;
    number.parse::<usize>().is_ok().then_some(secret)
}

/// Of several Secrets that ours names each is used that comes first.
fn each_would_be_used_were_it_first(rivals: &[(String, &Vec<RegistrySecret>, &String)]) {
    let question = |(first, secrets, name): &(String, &Vec<RegistrySecret>, &String)| {
        let number: usize = first.trim_start_matches('s').parse().unwrap();
        let mut secrets: Vec<RegistrySecret> = (*secrets).clone();
        secrets[..=number].rotate_right(1);
        Question::Keychain { secrets, repository: (*name).clone() }
    };
    let answers = Oracle::start().ask_all(rivals.iter().map(question).collect::<Vec<_>>());
    let mut told = 0;
    for ((first, _, name), theirs) in rivals.iter().zip(answers) {
        if let Some(used) = theirs.usernames.first().and_then(|user| secret_of(user)) {
            assert_eq!(used, first, "repository {name:?}: {theirs:?}");
            told += 1;
        }
    }
    println!(
        "{} Secrets of {} that are as good as others are used where they come first",
        told,
        rivals.len()
    );
    assert!(told >= CASES / 100, "one-sided: {told} of {}", rivals.len());
}

#[test]
fn the_secrets_that_cover_a_modules_registry_are_those_of_lifecycle_managers_keychain() {
    let mut random = Random::new("keychains");
    let mut mappings: BTreeMap<&str, usize> = BTreeMap::new();
    let mut cases = Vec::new();
    while cases.len() < CASES {
        let mut keys = Vec::new();
        let secrets: Vec<RegistrySecret> =
            (0..=random.below(3)).map(|number| secret(&mut random, number, &mut keys)).collect();
        let context = Context::any(&mut random, &keys);
        if let Some(target) = context.target() {
            *mappings.entry(context.mapping).or_default() += 1;
            cases.push((secrets, context.repository(), target));
        }
    }
    let question = |(secrets, name, _): &(Vec<RegistrySecret>, String, Target)| Question::Keychain {
        secrets: secrets.clone(),
        repository: name.clone(),
    };
    let answers = Oracle::start().ask_all(cases.iter().map(question).collect::<Vec<_>>());
    let mut rivals = Vec::new();
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for ((secrets, name, target), theirs) in cases.iter().zip(answers) {
        let told = || {
            let documents: Vec<_> = secrets
                .iter()
                .flat_map(|secret| secret.data.values())
                .map(|value| String::from_utf8_lossy(&STANDARD.decode(value).unwrap()).into_owned())
                .collect();
            format!("repository {name:?}, Secrets {documents:?}, the keychain: {theirs:?}")
        };
        let outcome = match (ours(secrets, target), theirs.error.as_str()) {
            (_, NO_REPOSITORY) => "no repository",
            (None, error) => {
                assert!(!error.is_empty(), "{}", told());
                "broken"
            }
            (Some(covering), error) => {
                assert_eq!(error, "", "{}", told());
                let used = theirs.usernames.first().map(|user| secret_of(user));
                match used {
                    None => assert!(covering.is_empty(), "{covering:?}; {}", told()),
                    Some(None) => assert!(!covering.is_empty(), "{}", told()),
                    Some(Some(used)) => {
                        assert!(covering.iter().any(|one| one == used), "{covering:?}; {}", told());
                    }
                }
                if covering.len() > 1 {
                    rivals.extend(covering.into_iter().map(|one| (one, secrets, name)));
                }
                if used.is_some() { "covered" } else { "anonymous" }
            }
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    each_would_be_used_were_it_first(&rivals);
    println!("{CASES} repositories, with {mappings:?}: {outcomes:?}: all alike");
    assert!(mappings.get(DIGEST).is_some_and(|count| *count >= CASES / 10), "one-sided: {mappings:?}");
    for (outcome, least) in [("covered", CASES / 10), ("anonymous", CASES / 10), ("broken", CASES / 100)] {
        assert!(outcomes.get(outcome).is_some_and(|count| *count >= least), "one-sided: {outcomes:?}");
    }
}
