use k8s_openapi::ByteString;
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;
use crate::model::gardener::registry_mirror::MirrorConfig;
use crate::model::gardener::{ca_bundle_errors, references, tls_errors};

/// Names that mean something somewhere, so that what is made of them goes deep.
const NAMES: &[&str] = &[
    "caches",
    "upstream",
    "volume",
    "size",
    "storageClassName",
    "garbageCollection",
    "ttl",
    "enabled",
    "proxy",
    "httpProxy",
    "remoteURL",
    "serviceNameSuffix",
    "secretReferenceName",
    "mirrors",
    "hosts",
    "host",
    "capabilities",
    "tls",
    "caBundleSecretReferenceName",
    "providers",
    "secretName",
    "credentials",
    "type",
    "http",
    "x",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}|[a-z.:/@%-]{0,20}|-?[0-9]{1,45}[a-zA-Z.0-9]{0,5}|(https?://)?[a-z:@/?#%.]{0,12}"
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        let name = prop_oneof![4 => prop::sample::select(NAMES).prop_map(str::to_owned), 1 => ".{0,3}"];
        let object = prop::collection::vec((name, inner.clone()), 0..6)
            .prop_map(|fields| Value::from(fields.into_iter().collect::<Map<_, _>>()));
        prop_oneof![object, prop::collection::vec(inner, 0..4).prop_map(Value::from)]
    })
}

/// Any document, mostly with lists where they mean something.
fn any_config() -> impl Strategy<Value = Value> {
    let lists = prop::collection::vec(any_json(), 0..4).prop_map(
        |items| json!({"caches": items, "mirrors": items, "providers": items, "tls": items.first()}),
    );
    prop_oneof![4 => lists, 1 => any_json()]
}

fn in_kind(document: &Value, group: &str, kind: &str, version: &str) -> Value {
    let mut fields = document.as_object().cloned().unwrap_or_default();
    fields.insert("apiVersion".into(), format!("{group}/{version}").into());
    fields.insert("kind".into(), kind.into());
    fields.into()
}

fn any_secret() -> impl Strategy<Value = Secret> {
    let key = prop::sample::select(&["username", "password", "bundle.crt", "x"][..]).prop_map(str::to_owned);
    let value = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        any_json().prop_map(|json| json.to_string().into_bytes()),
        Just(b"_json_key".to_vec()),
    ];
    prop::collection::btree_map(key, value.prop_map(ByteString), 0..4)
        .prop_map(|data| Secret { data: Some(data), ..Secret::default() })
}

/// A password that occurs in nothing that is said of a Secret.
const SECRET: &str = "Q7#zz9-swordfish";

/// Documents with the password in them, or parts of it, as JSON or nearly so.
fn any_password() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,4}".prop_map(|around| format!("{around}{SECRET}{around}")),
        any_json().prop_map(|json| json!({"type": SECRET, "x": {"y": json}, "z": [SECRET]}).to_string()),
        (any::<prop::sample::Index>(), ".").prop_map(|(place, replacement)| {
            let mut text: Vec<char> =
                json!({"private_key": SECRET, "auths": {"a": SECRET}}).to_string().chars().collect();
            let place = place.index(text.len());
            text.splice(place..=place, replacement.chars());
            text.into_iter().collect()
        }),
    ]
}

proptest! {
    #[test]
    fn any_configuration_can_be_judged(first in any_config(), second in any_config(), secret in any_secret()) {
        let mut configs = Vec::new();
        let (early, late) = (["v1alpha1", "v1alpha2", "v1alpha3"].map(|version| (&first, version)), (&second, "v1alpha3"));
        for (document, version) in early.into_iter().chain([late]) {
            let document = in_kind(document, "registry.extensions.gardener.cloud", "RegistryConfig", version);
            configs.extend(read(&document));
        }
        let mirrors = in_kind(&second, "mirror.extensions.gardener.cloud", "MirrorConfig", "v1alpha1");
        let raw = serde_json::value::to_raw_value(&mirrors).unwrap();
        let mirrors = MirrorConfig::read((&*raw).into());
        for config in &configs {
            config.static_errors(&path());
            for other in &configs {
                config.update_errors(other, &path());
            }
            assert_eq!(texts(&config.update_errors(config, &path())), [""; 0]);
            if let Some(mirrors) = &mirrors {
                mirrors.static_errors(&path());
                mirrors.collisions(config, &path());
            }
        }
        for extension_type in ["registry-cache", "registry-mirror", "shoot-rsyslog-relp", "shoot-dns-service", "x"] {
            for reference in references(extension_type, (&*raw).into(), &path()) {
                assert!(!reference.name.is_empty());
                reference.errors(&secret);
                reference.warnings(&secret);
            }
        }
        ca_bundle_errors(&secret, "x", &path());
        tls_errors(&secret, "x", &path());
    }

    #[test]
    fn nothing_that_is_said_of_a_secret_holds_its_password(
        password in any_password(), username in "_json_key|john|.{0,3}", immutable: Option<bool>,
    ) {
        let secret = Secret { immutable, ..credentials(&username, &password) };
        let mut said = texts(&credential_errors(&secret, "docker-creds", &path()));
        said.extend(credential_warnings(&secret));
        for text in said {
            prop_assert!(!text.contains("swordfish") && !text.contains("Q7#"), "{text}");
        }
    }
}
