//! What is said to whoever takes the last Secret away that modules are pulled with.
#![allow(clippy::needless_pass_by_value, reason = "objects are written as values, not as references to them")]

mod world;

use rstest::rstest;
use serde_json::{Value, json};

use super::scene::{layer, refusal, template, v2};
use crate::model::reference::Referrer;
use crate::model::scope::Scope;
use crate::policy::{Decision, Outcome, Reason};
use world::{KEY, OWN_USER, World, going, labelled, manifest, module, secret, taken, with};

/// What is said of the one module that there is.
const WARNING: &str = "no other Secret has credentials for ModuleTemplate kyma-system/sample";
const REMEDY: &str =
    "give another one with such credentials these labels: operator.kyma-project.io/oci-registry-cred=ghcr";

fn warnings(decision: &Decision) -> Vec<&str> {
    assert_eq!(decision.outcome, Outcome::Allowed);
    decision.warnings.texts().iter().map(String::as_str).collect()
}

#[test]
fn whoever_deletes_the_last_secret_is_told_what_needs_it_and_what_to_do() {
    let (decision, asked) = World::with_one().delete(&taken());
    assert_eq!(warnings(&decision), [WARNING, REMEDY]);
    assert_eq!(decision.reason, Reason::Warned);
    assert_eq!(decision.findings.iter().map(|finding| finding.as_str()).collect::<Vec<_>>(), ["last_secret"]);
    assert_eq!(
        asked,
        ["list operator.kyma-project.io/oci-registry-cred=ghcr"],
        "for a warning the watch will do"
    );
}

#[rstest]
#[case::none(vec![], false)]
#[case::like_it(vec![secret("other", "ghcr.io")], true)]
#[case::in_another_namespace(
    vec![with(secret("modules", "ghcr.io"), &["metadata", "namespace"], "istio-system".into())], true
)]
#[case::by_a_longer_key(vec![secret("other", "ghcr.io/org")], true)]
#[case::for_another_registry(vec![secret("other", "quay.io")], false)]
#[case::of_another_type(vec![with(secret("other", "ghcr.io"), &["type"], "Opaque".into())], false)]
#[case::with_other_labels(vec![labelled(secret("other", "ghcr.io"), json!({KEY: "other"}))], false)]
#[case::that_is_being_deleted(vec![going(secret("other", "ghcr.io"))], false)]
fn another_secret_that_stays_and_will_do_makes_it_no_loss(#[case] others: Vec<Value>, #[case] will_do: bool) {
    let world = World::of(vec![module()], [vec![taken()], others].concat());
    let (decision, _) = world.delete(&taken());
    assert_eq!(decision.warnings.texts().is_empty(), will_do, "{decision:?}");
    assert_eq!(decision.reason, if will_do { Reason::Accepted } else { Reason::Warned });
}

#[rstest]
#[case::the_label_taken_off(labelled(taken(), json!({"a": "b"})), true)]
#[case::all_labels_taken_off(labelled(taken(), json!(null)), true)]
#[case::another_value(labelled(taken(), json!({KEY: "other"})), true)]
#[case::another_label_more(labelled(taken(), json!({KEY: "ghcr", "a": "b"})), false)]
#[case::other_content(with(taken(), &["data"], json!({})), false)]
#[case::while_it_is_being_deleted(going(labelled(taken(), json!({}))), false)]
fn to_take_a_label_off_that_selects_it_counts_like_deleting_it(#[case] new: Value, #[case] is_lost: bool) {
    let (decision, asked) = World::with_one().decide(&taken(), &new, "jane");
    let texts = warnings(&decision);
    assert_eq!(texts.contains(&WARNING), is_lost, "{texts:?}");
    assert_eq!(asked.is_empty(), !is_lost, "{asked:?}");
}

#[rstest]
#[case::of_another_registry(secret("modules", "quay.io"))]
#[case::that_nobody_selects(labelled(taken(), json!({KEY: "other"})))]
#[case::of_another_type(with(taken(), &["type"], "Opaque".into()))]
#[case::without_the_conventional_label_the_api_server_does_not_ask(labelled(taken(), json!({"a": "b"})))]
#[case::that_is_being_deleted_already(going(taken()))]
fn a_secret_that_nothing_needs_goes_without_a_question(#[case] old: Value) {
    let by_another_label = manifest("other", "ghcr.io", "a", "b");
    let world = World::of(vec![module(), by_another_label], vec![old.clone()]).denying();
    let (decision, asked) = world.delete(&old);
    assert_eq!((warnings(&decision), asked.len()), (vec![], 0), "{decision:?}");
}

#[rstest]
#[case::nobody_cares("modules: {findings: {lastSecret: Ignore}}")]
#[case::nobody_looks_there("modules: {secretNamespaces: [kyma-system]}")]
fn where_it_does_not_matter_nothing_is_asked(#[case] configuration: &'static str) {
    let (decision, asked) = World::with_one().configured(configuration).delete(&taken());
    assert_eq!((decision.reason, asked.len()), (Reason::NotConcerned, 0));
}

#[test]
fn another_secret_where_lifecycle_manager_does_not_look_is_none() {
    let elsewhere = with(secret("other", "ghcr.io"), &["metadata", "namespace"], "default".into());
    // The one that is taken away may have gone by the time that the others are looked for.
    for secrets in [vec![taken(), elsewhere.clone()], vec![elsewhere]] {
        let world = World::of(vec![module()], secrets);
        let world = world.configured("modules: {secretNamespaces: [kcp-system]}");
        assert_eq!(warnings(&world.delete(&taken()).0), [WARNING, REMEDY]);
    }
}

#[rstest]
#[case::by_regcred_itself("kcp-system", OWN_USER, Reason::NotConcerned)]
#[case::where_the_cluster_starts_from("kube-system", "jane", Reason::SystemNamespace)]
#[case::where_regcred_is("regcred-system", "jane", Reason::SystemNamespace)]
fn what_regcred_keeps_out_of_is_not_looked_at(
    #[case] namespace: &str,
    #[case] username: &str,
    #[case] expected: Reason,
) {
    let old = with(taken(), &["metadata", "namespace"], namespace.into());
    let (decision, asked) = World::with_one().denying().decide(&old, &Value::Null, username);
    assert_eq!((decision.reason, decision.outcome, asked.len()), (expected, Outcome::Allowed, 0));
}

/// Manifests of many clusters, by numbers, and a module before them.
fn many(count: usize) -> Vec<(Referrer, Value)> {
    let manifests = (0..count).map(|number| manifest(&format!("m{number:02}"), "ghcr.io/org", KEY, "ghcr"));
    manifests.chain([module()]).collect()
}

#[test]
fn of_many_that_need_it_the_first_are_named_and_all_counted() {
    let world = World::of(many(20), vec![taken()]);
    let (decision, _) = world.delete(&taken());
    let told = "no other Secret has credentials for 21 objects: ModuleTemplate kyma-system/sample, Manifest kyma-system/m00, Manifest k…";
    assert_eq!(warnings(&decision), [told, REMEDY]);
    let (decision, asked) = World::of(many(20), vec![taken()]).denying().delete(&taken());
    assert_eq!(asked.len(), 1 + 5, "{asked:?}");
    assert_eq!(decision.reason, Reason::Refused);
    let manifest = "(spec.install.source.credSecretSelector, for ghcr.io/org/m)";
    assert_eq!(
        refusal(&decision),
        format!(
            "Secret kcp-system/modules is the last one that Lifecycle Manager can pull these with: ModuleTemplate \
             kyma-system/sample (spec.descriptor.component.resources[0].labels, for \
             ghcr.io/org/component-descriptors/example.io/module/sample), Manifest kyma-system/m00 {manifest}, Manifest \
             kyma-system/m01 {manifest}, Manifest kyma-system/m02 {manifest}, Manifest kyma-system/m03 {manifest} and 16 more; \
             first give another Secret with such credentials the labels operator.kyma-project.io/oci-registry-cred=ghcr"
        )
    );
}

#[test]
fn a_manifest_counts_without_its_module_too() {
    let alone = manifest("alone", "https://ghcr.io/org", KEY, "ghcr");
    let (decision, _) = World::of(vec![alone], vec![taken()]).delete(&taken());
    let told = "no other Secret has credentials for Manifest kyma-system/alone";
    assert_eq!(warnings(&decision), [told, REMEDY]);
}

#[test]
fn a_refusal_rests_on_what_is_there_and_not_on_what_the_watch_has_shown() {
    let delete = |live: Vec<(Referrer, Value)>, unreadable| {
        let world = World { live, unreadable, ..World::with_one().denying() };
        let (decision, asked) = world.delete(&taken());
        assert_eq!(asked.last().unwrap(), "get ModuleTemplate kyma-system/sample");
        decision
    };
    assert_eq!(delete(vec![module()], None).reason, Reason::Refused);
    assert_eq!(delete(vec![], None).reason, Reason::Accepted, "it has gone");
    let elsewhere = (module().0, template(&v2(json!([layer("raw-manifest", json!([]))]))));
    assert_eq!(delete(vec![elsewhere], None).reason, Reason::Accepted, "it asks for none any more");
    let unread = delete(vec![module()], Some("no answer"));
    assert_eq!(warnings(&unread), [WARNING, REMEDY], "what cannot be read refuses nobody");
}

#[test]
fn of_what_is_not_looked_at_there_is_a_warning_when_the_first_have_gone() {
    let objects = many(6);
    let world = World { live: Vec::new(), ..World::of(objects, vec![taken()]).denying() };
    let (decision, asked) = world.delete(&taken());
    assert_eq!(asked.len(), 1 + 5);
    let told =
        "no other Secret has credentials for 2 objects: Manifest kyma-system/m04, Manifest kyma-system/m05";
    assert_eq!(warnings(&decision), [told, REMEDY]);
}

#[test]
fn what_cannot_be_seen_is_told_and_refuses_nobody() {
    let world = World { unlisted: Some("no right in kcp-system"), ..World::with_one().denying() };
    let (decision, asked) = world.delete(&taken());
    let told = "could not see (no right in kcp-system) if another Secret is left for ModuleTemplate kyma-system/sample";
    assert_eq!((warnings(&decision), asked.len()), (vec![told], 1));
    assert_eq!((decision.reason, decision.findings.len()), (Reason::Warned, 0));
}

#[rstest]
#[case::everywhere("modules: {findings: {lastSecret: Deny}}", false)]
#[case::in_those("modules: {secretNamespaces: [kcp-system], findings: {lastSecret: Deny}}", true)]
fn where_lifecycle_manager_sees_more_than_regcred_nobody_is_refused(
    #[case] configuration: &'static str,
    #[case] refused: bool,
) {
    let scope = Scope::of(&["kcp-system".into(), "kyma-system".into()]);
    let world = World { scope, ..World::with_one().configured(configuration) };
    let (decision, _) = world.delete(&taken());
    assert_eq!(decision.reason == Reason::Refused, refused, "{decision:?}");
    if !refused {
        let told =
            "no other Secret that regcred can see has credentials for ModuleTemplate kyma-system/sample";
        assert_eq!(warnings(&decision), [told, REMEDY]);
    }
}

#[test]
fn each_selector_is_asked_about_once_and_very_many_are_not() {
    let keys: Vec<String> = (0..7).map(|number| format!("k{number}")).collect();
    let manifests = keys.iter().flat_map(|key| {
        ["a", "b"].map(|name| manifest(&format!("{key}-{name}"), &format!("ghcr.io/{name}"), key, "v"))
    });
    let labels = keys.iter().map(|key| (key.clone(), json!("v"))).chain([(KEY.to_owned(), json!("ghcr"))]);
    let old = labelled(taken(), labels.collect());
    let world = World::of(
        manifests.collect(),
        vec![old.clone(), labelled(secret("other", "ghcr.io"), json!({"k0": "v"}))],
    );
    let (decision, asked) = world.delete(&old);
    assert_eq!(asked, ["list k0=v", "list k1=v", "list k2=v", "list k3=v", "list k4=v"]);
    let texts = warnings(&decision);
    assert!(
        texts[0].starts_with("no other Secret has credentials for 8 objects: Manifest kyma-system/k1-a, "),
        "{texts:?}"
    );
    assert!(
        texts[2].starts_with("could not see (it has the labels of too many) if another Secret is left for "),
        "{texts:?}"
    );
}

#[test]
fn what_is_wrong_with_what_is_written_is_told_beside_it() {
    let new = with(labelled(taken(), json!({KEY: "other"})), &["type"], "Opaque".into());
    let (decision, _) = World::with_one().decide(&taken(), &new, "jane");
    let texts = warnings(&decision);
    assert_eq!(&texts[..2], [WARNING, REMEDY]);
    assert!(texts[2].starts_with("Lifecycle Manager passes over a Secret of type Opaque"), "{texts:?}");
    let (refused, _) = World::with_one().denying().decide(&taken(), &new, "jane");
    assert_eq!((refused.reason, refused.warnings.texts().len()), (Reason::Refused, 0));
}
