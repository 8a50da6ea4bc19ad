//! Secrets against images.
//!
//! Where we differ on purpose:
//! * Several entries of one Secret whose keys mean the same (`ghcr.io` and `https://ghcr.io`) are tried by the kubelet
//!   in the random order of a Go map; ours is fixed. The order among them is not compared.
//! * A host with two colons outside brackets is no URL for Go 1.26, with which we agree; kubelets built for an older
//!   language version (Kubernetes 1.33 to 1.35) keep such a key and match it with a name that has two colons too. No
//!   image has such a name, so none is asked about.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use regcred::model::docker_config::{DockerConfig, Entry};
use regcred::model::image::ImageReference;
use regcred::model::keyring::{Keyring, Target};

use super::harness::oracle::{Oracle, Question, RegistrySecret};
use super::images;
use super::random::Random;

const CASES: usize = 30_000;

const SCHEMES: &[&str] = &["", "", "", "https://", "http://", "HTTPS://", "oci://", "//", "https:"];
const USERS: &[&str] = &["", "", "", "", "", "user@", "user:password@", "a b@"];
const HOSTS: &[&str] = &[
    "ghcr.io",
    "GHCR.io",
    "a.example.com",
    "b.example.com",
    "*.example.com",
    "*.*.com",
    "*.com",
    "a.*.com",
    "a*.example.com",
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "*.docker.io",
    "localhost",
    "registry",
    "10.0.0.5",
    "10.0.*.5",
    "[::1]",
    "[::A]",
    "[0-9]",
    "[fe80::1%25eth0]",
    "[::ffff:10.0.0.5]",
    "g*r.io",
    "*",
    "",
    "gh%63r.io",
    "ex%C3%A4.com",
    "ä.com",
    "%25.com",
    "gh?r.io",
    "gh\\cr.io",
];
const PORTS: &[&str] = &["", "", "", "", ":443", ":5000", ":", ":abc", ":80:90"];
const PATHS: &[&str] = &[
    "",
    "",
    "",
    "/",
    "/v1/",
    "/v2/",
    "/v1",
    "/v2/org",
    "/v1//",
    "/org",
    "/org/",
    "/org/app",
    "/organisation",
    "/Org",
    "/o",
    "//",
    "/*",
    "/org/*",
    "/%6frg",
    "/%zz",
    "/org%",
    "?x=1",
    "/org?x",
    "#f",
    "#%zz",
    "/library",
    "/library/app",
    "/%2525",
];
const USUAL: [&[&str]; 5] = [
    &["", "", "https://", "http://"],
    &[""],
    &[
        "ghcr.io",
        "a.example.com",
        "*.example.com",
        "docker.io",
        "index.docker.io",
        "localhost",
        "10.0.0.5",
        "[::1]",
    ],
    &["", "", "", ":5000"],
    &["", "", "/", "/v1/", "/v2/", "/org", "/org/app", "/library"],
];
pub(crate) const REPOSITORY_HOSTS: &[&str] = &[
    "ghcr.io",
    "a.example.com",
    "b.example.com",
    "docker.io",
    "index.docker.io",
    "localhost",
    "registry",
    "10.0.0.5",
    "[::1]",
    "A",
    "x.y.com",
    "example.com",
];
const REPOSITORY_PATHS: &[&str] =
    &["", "/org", "/org/app", "/organisation/app", "/app", "/library/app", "/o"];

/// Mostly what people write, with anything else in one part of three.
fn key(random: &mut Random) -> String {
    let parts = if random.once_in(3) { [SCHEMES, USERS, HOSTS, PORTS, PATHS] } else { USUAL };
    let key = parts.map(|parts| random.pick(parts)).concat();
    if random.once_in(8) { random.misspell(&key) } else { key }
}

/// A name to look up: mostly one that a key was meant for or one that the kubelet's own reading gives, sometimes
/// anything.
fn repository(random: &mut Random, keys: &[String]) -> String {
    match random.below(10) {
        0 => images::reference(random),
        1 => {
            let text = key(random);
            random.misspell(&text)
        }
        2..=7 if !keys.is_empty() => {
            let key = &keys[random.below(keys.len())];
            let url = key.rsplit("//").next().unwrap_or_default().replace('*', "x").replace("/v1/", "/");
            let suffix = random.pick(&["", "", "/app", "/org/app", "app"]);
            let text = format!("{}{suffix}", url.trim_end_matches('/'));
            if random.once_in(5) { random.misspell(&text) } else { text }
        }
        _ => {
            let port = random.pick(&["", "", "", ":443", ":5000"]);
            let text = format!("{}{port}{}", random.pick(REPOSITORY_HOSTS), random.pick(REPOSITORY_PATHS));
            ImageReference::parse(&text).map_or(text, |reference| reference.repository().to_owned())
        }
    }
}

fn has_two_colons(name: &str) -> bool {
    let host = name.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    !host.starts_with('[') && host.matches(':').count() > 1
}

/// The fields of one entry; the user name tells it from all others.
fn entry(random: &mut Random, username: &str) -> String {
    let encoded = STANDARD.encode(format!("{username}:secret"));
    match random.below(24) {
        0 => format!(r#"{{"auth":"{}"}}"#, STANDARD_NO_PAD.encode(format!("{username}:secret"))),
        1 => format!(r#"{{"AUTH":"{encoded}","extra":[1,{{}}]}}"#),
        2 => format!(r#"{{"auth":"{encoded}\n"}}"#),
        3 => format!(r#"{{"username":"x","auth":"{encoded}"}}"#),
        4 => format!(r#"{{"username":"{username}","password":"p","auth":""}}"#),
        5 => format!(r#"{{"Username":"{username}","email":null}}"#),
        6 if random.once_in(4) => r#"{"auth":"pants"}"#.to_owned(),
        7 if random.once_in(4) => r#"{"email":1}"#.to_owned(),
        8 if random.once_in(4) => "[]".to_owned(),
        9 if random.once_in(4) => format!(r#"{{"auth":"{encoded} "}}"#),
        10 if random.once_in(4) => format!(r#"{{"auth":"{}"}}"#, STANDARD.encode(username)),
        _ => format!(r#"{{"auth":"{encoded}"}}"#),
    }
}

pub(crate) fn secret(random: &mut Random, number: usize, keys: &mut Vec<String>) -> RegistrySecret {
    let entries: Vec<String> = (0..random.below(4))
        .map(|position| {
            // Often one that another entry has.
            let is_anew = keys.is_empty() || !random.once_in(4);
            let key = if is_anew { key(random) } else { keys[random.below(keys.len())].clone() };
            let entry = format!(
                "{}:{}",
                serde_json::to_string(&key).unwrap(),
                entry(random, &format!("s{number}e{position}"))
            );
            keys.push(key);
            entry
        })
        .collect();
    let entries = format!("{{{}}}", entries.join(","));
    let (mut r#type, mut data_key) = ("kubernetes.io/dockerconfigjson", ".dockerconfigjson");
    let mut document = match random.below(20) {
        0 => format!(r#"{{"AuthS":{entries}}}"#),
        1 => format!(r#"{{"auths":{{}},"HttpHeaders":{{"a":"b"}},"auths":{entries}}}"#),
        2 => format!(r#"{{"auths":{entries},"auths":null}}"#),
        3 => r#"{"auths":null}"#.to_owned(),
        4 => "null".to_owned(),
        5 if random.once_in(4) => format!(r#"{{"auths":{entries}}} x"#),
        6 if random.once_in(4) => format!(r#"{{"auths":{entries},"HttpHeaders":{{"a":1}}}}"#),
        7 if random.once_in(4) => String::new(),
        8..=10 => {
            (r#type, data_key) = ("kubernetes.io/dockercfg", ".dockercfg");
            entries.clone()
        }
        _ => format!(r#"{{"auths":{entries}}}"#),
    };
    match random.below(60) {
        0 => r#type = "Opaque",
        1 => data_key = ".dockercfg",
        2 => document = random.misspell(&document),
        _ => {}
    }
    RegistrySecret {
        r#type: r#type.to_owned(),
        data: BTreeMap::from([(data_key.to_owned(), STANDARD.encode(document))]),
    }
}

/// Our answer: the user names in order, each with its key, or that nothing can be decoded.
fn ours(secrets: &[RegistrySecret], repository: &str) -> Option<Vec<(String, String)>> {
    let mut entries: Vec<Entry> = Vec::new();
    for secret in secrets {
        let data: BTreeMap<_, _> =
            secret.data.iter().map(|(key, value)| (key.as_str(), STANDARD.decode(value).unwrap())).collect();
        let config =
            DockerConfig::from_secret(&secret.r#type, |key| data.get(key).map(Vec::as_slice)).ok()?;
        entries.extend(config.into_iter().flat_map(|config| config.entries));
    }
    let keyring = Keyring::new(entries.iter().map(|entry| entry.key.as_str()));
    let target = Target::new(repository);
    let found: Vec<&Entry> = keyring.lookup(&target).map(|position| &entries[position]).collect();
    assert_eq!(keyring.answers(&target), !found.is_empty(), "answers and lookup agree");
    let named = |entry: &Entry| (String::from_utf8_lossy(&entry.username).into_owned(), entry.key.clone());
    Some(found.into_iter().map(named).collect())
}

/// Sorts the user names among neighbours whose keys mean the same in one Secret, whose order is Go's chance. A misspelt
/// entry has no user name that would tell its Secret.
fn without_chance(found: &[(String, String)]) -> Vec<String> {
    let secret_of = |username: &str| username.split_once('e').map(|(secret, _)| secret.to_owned());
    let keyring = |key: &str| Keyring::new([key]);
    let groups = found.chunk_by(|(left, left_key), (right, right_key)| {
        let secrets = (secret_of(left), secret_of(right));
        let may_be_one = secrets.0.is_none() || secrets.1.is_none() || secrets.0 == secrets.1;
        may_be_one && keyring(left_key) == keyring(right_key)
    });
    groups
        .flat_map(|group| {
            let mut names: Vec<_> = group.iter().map(|(username, _)| username.clone()).collect();
            names.sort();
            names
        })
        .collect()
}

#[test]
fn the_credentials_found_for_an_image_are_the_kubelets() {
    let mut random = Random::new("keyrings");
    let cases: Vec<(Vec<RegistrySecret>, String)> = (0..CASES)
        .map(|_| {
            let mut keys = Vec::new();
            let secrets =
                (0..=random.below(3)).map(|number| secret(&mut random, number, &mut keys)).collect();
            let name = loop {
                let name = repository(&mut random, &keys);
                if !has_two_colons(&name) {
                    break name;
                }
            };
            (secrets, name)
        })
        .collect();
    let question = |(secrets, repository): &(Vec<RegistrySecret>, String)| Question::Keyring {
        secrets: secrets.clone(),
        repository: repository.clone(),
    };
    let answers = Oracle::start().ask_all(cases.iter().map(question).collect::<Vec<_>>());
    let (mut matched, mut refused) = (0, 0);
    for ((secrets, repository), theirs) in cases.iter().zip(answers) {
        let told = || {
            let documents = secrets.iter().flat_map(|secret| secret.data.values());
            let documents: Vec<_> = documents
                .map(|value| String::from_utf8_lossy(&STANDARD.decode(value).unwrap()).into_owned())
                .collect();
            format!("image {repository:?}, Secrets {documents:?}, the kubelet: {theirs:?}")
        };
        let ours = ours(secrets, repository);
        assert_eq!(ours.is_none(), !theirs.error.is_empty(), "{}", told());
        let Some(ours) = ours else {
            refused += 1;
            continue;
        };
        let keys: BTreeMap<_, _> = ours.iter().cloned().collect();
        let with_key = |name: &String| (name.clone(), keys.get(name).cloned().unwrap_or_default());
        let theirs_with_keys: Vec<_> = theirs.usernames.iter().map(with_key).collect();
        let (ours, theirs_sorted) = (without_chance(&ours), without_chance(&theirs_with_keys));
        assert_eq!(ours, theirs_sorted, "{}", told());
        matched += usize::from(!ours.is_empty());
    }
    println!("{CASES} Secrets and images, {matched} with credentials, {refused} undecodable: all alike");
    assert!(matched > CASES / 10 && refused > CASES / 100, "the cases are one-sided");
}
