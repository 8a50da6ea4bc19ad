//! Which label layers are given, and when none.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rstest::rstest;
use serde_json::{Value, json};

use super::properties::any_descriptor;
use super::scene::{decide, label, label_by, layer, patched, refusal, resource, template, v2, v3};
use crate::policy::tests::Cluster;
use crate::policy::tests::review_of;
use crate::policy::{Decision, Patch, Reason};

/// A credential for all namespaces that names labels, besides other members of its spec.
fn naming(labels: &Value, spec: &Value) -> Value {
    let mut all = json!({"namespaces": ["*"], "moduleLabels": labels});
    all.as_object_mut().unwrap().append(&mut spec.as_object().unwrap().clone());
    all
}

/// One that labels modules in ghcr.io as the tests' other templates are labelled.
fn declared() -> Cluster {
    Cluster::new().offering("ghcr", &naming(&label()["value"], &json!({})), &["ghcr.io"])
}

fn unlabelled() -> Value {
    template(&v2(json!([layer("raw-manifest", json!([]))])))
}

/// What is added, or would be.
fn selector(patch: Option<&Patch>) -> Option<String> {
    let Some(Patch::ModuleLabels(added)) = patch else {
        assert_eq!(patch, None);
        return None;
    };
    Some(added.selector().to_string())
}

#[rstest]
#[case::v2(v2, "/spec/descriptor/component/resources")]
#[case::v3(v3, "/spec/descriptor/spec/resources")]
fn every_layer_without_the_label_is_given_it_and_nothing_else_changes(
    #[case] schema: fn(Value) -> Value,
    #[case] resources: &str,
) {
    let malformed = json!({"name": "oci-registry-cred", "value": "malformed"});
    let other = json!({"name": "other", "value": "x"});
    let object = template(&schema(json!([
        layer("raw-manifest", json!([other])),
        layer("labelled", json!([label()])),
        layer("malformed", json!([malformed])),
        resource("module-image", "ociArtifact", json!([])),
        layer("default-cr", Value::Null),
        {"name": "without", "access": {"type": "localOciBlob"}},
        layer("no-list", json!({"a": "b"})),
    ])));
    let decision = label_by(&review_of(&object, None), "", &declared());
    assert_eq!((decision.reason, decision.warnings.texts()), (Reason::Labelled, &[][..]));
    let add = |path: &str, value: Value| json!({"op": "add", "path": format!("{resources}/{path}"), "value": value});
    assert_eq!(
        serde_json::to_value(&decision.patch).unwrap(),
        json!([
            add("0/labels/-", label()),
            add("4/labels", json!([label()])),
            add("5/labels", json!([label()])),
        ])
    );
    let mut expected = object.clone();
    let layers = expected.pointer_mut(resources).unwrap();
    layers[0]["labels"] = json!([other, label()]);
    layers[4]["labels"] = json!([label()]);
    layers[5]["labels"] = json!([label()]);
    assert_eq!(patched(&object, &decision), expected);
}

#[rstest]
#[case::labelled(template(&v2(json!([layer("raw-manifest", json!([label()]))]))), Reason::NothingToAdd)]
#[case::malformed(
    template(&v2(json!([layer("raw-manifest", json!([{"name": "oci-registry-cred", "value": {}}]))]))),
    Reason::NothingToAdd
)]
#[case::an_image_alone(
    template(&v2(json!([resource("module-image", "ociArtifact", json!([]))]))), Reason::NotConcerned
)]
#[case::empty(template(&json!({})), Reason::NotConcerned)]
#[case::of_no_schema(template(&json!({"modules": []})), Reason::Unreadable)]
fn where_nothing_lacks_nothing_is_added(#[case] object: Value, #[case] reason: Reason) {
    let decision = label_by(&review_of(&object, None), "", &declared());
    assert_eq!((decision.reason, decision.patch), (reason, None));
    assert!(decision.warnings.texts().is_empty());
}

#[test]
fn a_template_that_stays_or_goes_or_is_pulled_without_credentials_is_left_alone() {
    let mut old = unlabelled();
    let mut going = unlabelled();
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    let public = "modules: {publicRegistries: [ghcr.io/org]}";
    for (review, configuration) in [
        (review_of(&unlabelled(), Some(&old)), ""),
        (review_of(&going, Some(&template(&json!({})))), ""),
        (review_of(&unlabelled(), None), public),
    ] {
        let decision = label_by(&review, configuration, &declared());
        assert_eq!((decision.reason, decision.patch), (Reason::NotConcerned, None));
    }
    old["spec"]["channel"] = "fast".into();
    let changed = label_by(&review_of(&unlabelled(), Some(&old)), "", &declared());
    assert_eq!(changed.reason, Reason::Labelled, "one from before is labelled with its next change");
}

/// Credentials as images that narrow them, keys of their Secret, and the value of their label; and whose value is added.
type Row = (&'static [(&'static [&'static str], &'static [&'static str], &'static str)], &'static str);

/// For a module in ghcr.io/org.
const CLAIMS: &[Row] = &[
    (&[], ""),
    (&[(&[], &["ghcr.io"], "a")], "a"),
    (&[(&[], &["https://ghcr.io"], "a")], "a"),
    (&[(&[], &["*.io"], "a")], "a"),
    (&[(&[], &["ghcr.io/org"], "a")], "a"),
    (&[(&[], &["ghcr.io/org/component-descriptors"], "a")], "a"),
    (&[(&["ghcr.io/org"], &["ghcr.io"], "a")], "a"),
    (&[(&["ghcr.io/org/*"], &["ghcr.io"], "a")], "a"),
    (&[(&["ghcr.io/or"], &["ghcr.io"], "a")], ""),
    (&[(&["quay.io"], &["ghcr.io"], "a")], ""),
    (&[(&["ghcr.io"], &["quay.io"], "a")], ""),
    (&[(&[], &["ghcr.io:443"], "a")], ""),
    // The more special key, whatever the order of the names.
    (&[(&[], &["ghcr.io"], "a"), (&[], &["ghcr.io/org"], "b")], "b"),
    (&[(&[], &["ghcr.io/org"], "a"), (&[], &["ghcr.io"], "b")], "a"),
    (&[(&[], &["*.io"], "a"), (&[], &["ghcr.io"], "b")], "b"),
    (&[(&[], &["*.io/org"], "a"), (&[], &["ghcr.io"], "b")], "b"),
    // The more special pattern, and the narrower of pattern and key.
    (&[(&[], &["ghcr.io"], "a"), (&["ghcr.io/org"], &["ghcr.io"], "b")], "b"),
    (&[(&["ghcr.io"], &["ghcr.io"], "a"), (&["quay.io", "ghcr.io/org"], &["ghcr.io"], "b")], "b"),
    (&[(&["ghcr.io"], &["ghcr.io/org"], "a"), (&["ghcr.io"], &["ghcr.io"], "b")], "a"),
    (&[(&["ghcr.io/org/component-descriptors"], &["ghcr.io"], "a"), (&[], &["ghcr.io/org"], "b")], "a"),
    // One of another registry says nothing.
    (&[(&[], &["ghcr.io"], "a"), (&[], &["quay.io"], "b")], "a"),
    // Two that agree.
    (&[(&[], &["ghcr.io"], "a"), (&[], &["ghcr.io"], "a")], "a"),
    // Two that do not.
    (&[(&[], &["ghcr.io"], "a"), (&[], &["ghcr.io"], "b")], "alike"),
    (&[(&[], &["ghcr.io/org"], "a"), (&["ghcr.io/org"], &["ghcr.io"], "b")], "alike"),
    (&[(&[], &["ghcr.io"], "a"), (&[], &["ghcr.io"], "b"), (&[], &["ghcr.io/org"], "c")], "c"),
];

#[test]
fn the_credential_with_the_most_special_match_says_which_label_and_of_two_that_are_alike_neither() {
    for (credentials, expected) in CLAIMS {
        let mut cluster =
            Cluster::new().offering("without-labels", &json!({"namespaces": ["*"]}), &["ghcr.io/org"]);
        for (number, (images, keys, value)) in credentials.iter().enumerate() {
            let spec = naming(&json!({"a": value}), &json!({"images": images}));
            cluster = cluster.offering(&format!("c{number}"), &spec, keys);
        }
        let decision = label_by(&review_of(&unlabelled(), None), "", &cluster);
        let added = selector(decision.patch.as_ref());
        let (reason, warnings): (_, &[&str]) = match *expected {
            "" => (Reason::NoCredential, &[]),
            "alike" => (
                Reason::NotLabelled,
                &[
                    "no label added: narrow images of regcred c0 or c1, which claim ghcr.io/org with different moduleLabels",
                ],
            ),
            _ => (Reason::Labelled, &[]),
        };
        assert_eq!(decision.reason, reason, "{credentials:?}");
        assert_eq!(decision.warnings.texts(), warnings, "{credentials:?}");
        let is_added = reason == Reason::Labelled;
        assert_eq!(added, is_added.then(|| format!("a={expected}")), "{credentials:?}");
    }
}

#[rstest]
#[case::short("docker.io/org", "docker.io/org")]
#[case::long("index.docker.io/org", "docker.io")]
#[case::none("org", "index.docker.io/org")]
fn docker_hub_is_one_registry_whatever_it_is_called(#[case] base: &str, #[case] images: &str) {
    let mut object = unlabelled();
    object["spec"]["descriptor"]["component"]["repositoryContexts"] = json!([{"baseUrl": base}]);
    let hub = ["https://index.docker.io/v1/"];
    let cluster = Cluster::new().offering("all", &naming(&json!({"a": "all"}), &json!({})), &hub).offering(
        "narrow",
        &naming(&json!({"a": "narrow"}), &json!({"images": [format!("{images}/*")]})),
        &hub,
    );
    let decision = label_by(&review_of(&object, None), "", &cluster);
    // Both are for all of Docker Hub where only the host narrows one.
    let expected = (images != "docker.io").then(|| "a=narrow".to_owned());
    assert_eq!(selector(decision.patch.as_ref()), expected, "{decision:?}");
}

#[test]
fn a_credential_whose_registries_are_not_known_adds_nothing_and_is_told_of_unless_it_is_of_one_mind_with_another()
 {
    let review = review_of(&unlabelled(), None);
    let unknown = naming(&json!({"a": "unknown"}), &json!({}));
    let alone = label_by(&review, "", &Cluster::new().with_credential("lost", &unknown));
    assert_eq!((alone.reason, alone.patch), (Reason::NotLabelled, None));
    assert_eq!(
        alone.warnings.texts(),
        [
            "no label added: missing or broken is Secret sources/lost of regcred lost, which may be for ghcr.io/org"
        ]
    );
    // Its key may be more special than those that are known.
    let beside = label_by(&review, "", &declared().with_credential("lost", &unknown));
    assert_eq!((beside.reason, beside.patch, beside.warnings.texts().len()), (Reason::NotLabelled, None, 1));
    let sure = label_by(&review, "", &declared());
    let labels = selector(sure.patch.as_ref()).unwrap();
    let (key, value) = labels.split_once('=').unwrap();
    let agreeing = naming(&json!({key: value}), &json!({"images": ["ghcr.io/org"]}));
    let agreed = label_by(&review, "", &declared().with_credential("lost", &agreeing));
    assert_eq!((agreed.reason, agreed.warnings.texts().len()), (Reason::Labelled, 0));
    assert_eq!(selector(agreed.patch.as_ref()), Some(labels));
    let narrow = naming(&json!({"a": "unknown"}), &json!({"images": ["ghcr.io/org"]}));
    let narrower = label_by(&review, "", &declared().with_credential("lost", &narrow));
    assert_eq!((narrower.reason, narrower.patch), (Reason::NotLabelled, None));
    let elsewhere = naming(&json!({"a": "unknown"}), &json!({"images": ["quay.io"]}));
    let other = label_by(&review, "", &Cluster::new().with_credential("lost", &elsewhere));
    assert_eq!((other.reason, other.warnings.texts().len()), (Reason::NoCredential, 0));
}

/// Decides with `ghcr` and the narrower `org`, each in a mode.
fn in_modes(ghcr: &str, org: &str, org_label: &str) -> Decision {
    let cluster = Cluster::new()
        .offering("ghcr", &naming(&json!({"a": "ghcr"}), &json!({"mode": ghcr})), &["ghcr.io"])
        .offering("org", &naming(&json!({"a": org_label}), &json!({"mode": org})), &["ghcr.io/org"]);
    label_by(&review_of(&unlabelled(), None), "", &cluster)
}

#[rstest]
#[case::both_enforced("Enforce", "Enforce", "org", Some("a=org"), None, Reason::Labelled)]
#[case::the_narrower_audited("Enforce", "Audit", "org", Some("a=ghcr"), Some("a=org"), Reason::Labelled)]
#[case::the_narrower_audited_and_no_other("Enforce", "Audit", "ghcr", Some("a=ghcr"), None, Reason::Labelled)]
#[case::the_wider_audited("Audit", "Enforce", "org", Some("a=org"), None, Reason::Labelled)]
#[case::both_audited("Audit", "Audit", "org", None, Some("a=org"), Reason::Audited)]
fn a_credential_in_mode_audit_only_tells_what_it_would_add(
    #[case] ghcr: &str,
    #[case] org: &str,
    #[case] org_label: &str,
    #[case] added: Option<&str>,
    #[case] audited: Option<&str>,
    #[case] reason: Reason,
) {
    let decision = in_modes(ghcr, org, org_label);
    assert_eq!(decision.reason, reason);
    assert_eq!(selector(decision.patch.as_ref()).as_deref(), added);
    assert_eq!(selector(decision.audited.as_ref()).as_deref(), audited);
    let told = audited.map(|label| format!("audit: RegistryCredential org would label the layers {label}"));
    assert_eq!(decision.warnings.texts(), Vec::from_iter(told));
}

#[test]
fn rivals_of_which_one_is_in_mode_audit_are_told_of_as_an_audit() {
    let cluster = Cluster::new()
        .offering("one", &naming(&json!({"a": "one"}), &json!({})), &["ghcr.io"])
        .offering("other", &naming(&json!({"a": "other"}), &json!({"mode": "Audit"})), &["ghcr.io"]);
    let decision = label_by(&review_of(&unlabelled(), None), "", &cluster);
    assert_eq!(selector(decision.patch.as_ref()).as_deref(), Some("a=one"));
    assert!(decision.audited.is_none());
    assert!(
        decision.warnings.texts()[0]
            .starts_with("audit: no label added: narrow images of regcred one or other")
    );
}

#[test]
fn thousands_of_layers_are_labelled() {
    let layers: Vec<Value> = (0..5_000).map(|number| layer(&format!("layer-{number}"), json!([]))).collect();
    let object = template(&v2(layers.into()));
    let decision = label_by(&review_of(&object, None), "", &declared());
    let labelled = patched(&object, &decision);
    assert_eq!(refusal(&decide(&review_of(&labelled, None), "", &[])), "");
}

proptest! {
    #[test]
    fn whatever_the_descriptor_holds_a_patch_applies_adds_only_and_leaves_nothing_to_add(
        descriptor in any_descriptor(),
    ) {
        let object = template(&descriptor);
        let decision = label_by(&review_of(&object, None), "", &declared());
        prop_assert_eq!(decision.patch.is_some(), decision.reason == Reason::Labelled);
        let labelled = patched(&object, &decision);
        let again = label_by(&review_of(&labelled, None), "", &declared());
        prop_assert_eq!(&again.patch, &None);
        prop_assert_eq!(patched(&labelled, &again), labelled.clone());
        let Some(Patch::ModuleLabels(added)) = &decision.patch else {
            prop_assert_eq!(labelled, object);
            return Ok(());
        };
        let count = |object: &Value| object.to_string().matches(r#"{"name":"oci-registry-cred","value":{"operator"#).count();
        prop_assert_eq!(count(&labelled), count(&object) + added.layers().len());
    }
}

/// Of so many cases at least one of each schema is a template that labels alone lack; it is about one of ten.
const LABELLED_ONCE_IN: usize = 64;

#[test]
fn a_template_that_is_refused_for_missing_labels_alone_is_allowed_once_they_are_added() {
    let configuration = Config { source_file: Some(file!()), ..Config::default() };
    let cases = usize::try_from(configuration.cases).unwrap();
    let allowed_once_labelled = [Cell::new(0), Cell::new(0)];
    let property = |descriptor: Value| {
        let object = template(&descriptor);
        let labelling = label_by(&review_of(&object, None), "", &declared());
        if labelling.reason == Reason::NoCredential {
            return Ok(());
        }
        let before = decide(&review_of(&object, None), "", &[]);
        let labelled = patched(&object, &labelling);
        let after = decide(&review_of(&labelled, None), "", &[]);
        let is_malformed = refusal(&before).contains("The label oci-registry-cred of these layers");
        prop_assert_eq!(refusal(&after).contains("have no label"), false);
        prop_assert_eq!(after.reason == Reason::Refused, is_malformed, "{}", refusal(&after));
        if before.reason == Reason::Refused && !is_malformed {
            let of_schema = &allowed_once_labelled[usize::from(descriptor["component"].is_null())];
            of_schema.set(of_schema.get() + 1);
        }
        Ok(())
    };
    TestRunner::new(configuration).run(&any_descriptor(), property).unwrap();
    for (schema, count) in ["v2", "v3alpha1"].into_iter().zip(allowed_once_labelled) {
        assert!(count.get() * LABELLED_ONCE_IN >= cases, "{} of {cases} in {schema}", count.get());
    }
}
