//! Secrets against repositories of modules: Lifecycle Manager's keychain.
//!
//! Where we differ on purpose: what go-containerregistry says of several Secrets with the same key is the chance of a list's order;
//! ours names all of them, so theirs must be one of ours.

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

/// Where Lifecycle Manager pulls the layers of a module from, and how we look it up; `None` for a URL that names none.
fn repository(base_url: &str) -> Option<(String, Target)> {
    let descriptor = to_raw_value(&json!({"meta": {"schemaVersion": "v2"}, "component": {
        "name": COMPONENT, "version": "1.0.0", "provider": "kyma-project.io", "resources": [], "sources": [],
        "componentReferences": [],
        "repositoryContexts": [{"type": "OCIRegistry", "baseUrl": base_url, "componentNameMapping": "urlPath"}],
    }}));
    let Descriptor::Component(component) = Descriptor::read(Some((&*descriptor.unwrap()).into())) else {
        panic!("a descriptor");
    };
    let Location::Repository(repository) = component.location else { return None };
    let name = format!("{}/component-descriptors/{COMPONENT}", repository.base());
    Some((name, repository.target(&component.name)))
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

#[test]
fn the_secrets_that_cover_a_modules_registry_are_those_of_lifecycle_managers_keychain() {
    let mut random = Random::new("keychains");
    let mut cases = Vec::new();
    while cases.len() < CASES {
        let mut keys = Vec::new();
        let secrets: Vec<RegistrySecret> =
            (0..=random.below(3)).map(|number| secret(&mut random, number, &mut keys)).collect();
        if let Some((name, target)) = repository(&base_url(&mut random, &keys)) {
            cases.push((secrets, name, target));
        }
    }
    let question = |(secrets, name, _): &(Vec<RegistrySecret>, String, Target)| Question::Keychain {
        secrets: secrets.clone(),
        repository: name.clone(),
    };
    let answers = Oracle::start().ask_all(cases.iter().map(question).collect::<Vec<_>>());
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
                if used.is_some() { "covered" } else { "anonymous" }
            }
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    println!("{CASES} repositories: {outcomes:?}: all alike");
    for (outcome, least) in [("covered", CASES / 10), ("anonymous", CASES / 10), ("broken", CASES / 100)] {
        assert!(outcomes.get(outcome).is_some_and(|count| *count >= least), "one-sided: {outcomes:?}");
    }
}
