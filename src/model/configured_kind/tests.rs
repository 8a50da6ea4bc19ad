//! Paths, liveness and namespaces of configured kinds, as tables.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;
use serde_json::value::to_raw_value;

use super::*;

/// A kind whose objects name Secrets there.
fn definition(places: Value) -> Definition {
    let mut definition =
        json!({"group": "example.com", "version": "v1", "resource": "things", "kind": "Thing"});
    definition["secrets"] = places;
    serde_json::from_value(definition).unwrap()
}

fn kind(places: Value, needs_secrets: Option<&str>) -> ConfiguredKind {
    let needs_secrets = needs_secrets.map(str::to_owned);
    ConfiguredKind::compile(Definition { needs_secrets, ..definition(places) }).unwrap()
}

/// What an object of namespace `own` points to, and by which places.
fn pointed_to(kind: &ConfiguredKind, object: &Value) -> Vec<String> {
    let pointers = kind.pointers("own", &to_raw_value(object).unwrap());
    assert!(pointers.bindings.is_empty());
    pointers.secrets.iter().map(|reference| format!("{} {}", reference.secret, reference.path)).collect()
}

#[rstest]
#[case::a_field("$.spec.secretName", json!({"spec": {"secretName": "a"}}), &["own/a spec.secretName"])]
#[case::of_each_item(
    "$.pull[*].name",
    json!({"pull": [{"name": "a"}, {"other": "b"}, {"name": "c"}]}),
    &["own/a pull[0].name", "own/c pull[2].name"]
)]
#[case::wherever_it_stands(
    "$..secretName",
    json!({"a": {"secretName": "x"}, "b": [[{"secretName": "y"}]]}),
    &["own/x a.secretName", "own/y b[0][0].secretName"]
)]
#[case::by_a_filter(
    "$.refs[?@.kind == 'Secret'].name",
    json!({"refs": [{"kind": "ConfigMap", "name": "a"}, {"kind": "Secret", "name": "b"}]}),
    &["own/b refs[1].name"]
)]
#[case::under_a_name_that_is_no_identifier(
    "$.metadata.annotations['example.com/secret']",
    json!({"metadata": {"annotations": {"example.com/secret": "a"}}}),
    &["own/a metadata.annotations['example.com/secret']"]
)]
#[case::several_at_once("$['a','b']", json!({"a": "x", "b": "y"}), &["own/x a", "own/y b"])]
#[case::from_the_end("$.list[-1]", json!({"list": ["x", "y"]}), &["own/y list[1]"])]
#[case::of_another_type("$.a[*]", json!({"a": [1, null, {"b": "c"}, ["d"], true]}), &[])]
#[case::empty("$.a", json!({"a": ""}), &[])]
#[case::not_there("$.a.b.c", json!({"a": {"b": "c"}}), &[])]
#[case::not_even_an_object("$.a", json!([]), &[])]
fn a_path_leads_to_names(#[case] path: &str, #[case] object: Value, #[case] expected: &[&str]) {
    assert_eq!(pointed_to(&kind(json!([{"name": path}]), None), &object), expected);
}

#[rstest]
#[case::of_the_object(
    json!({"name": "$.secrets[*]", "namespace": "$.where"}),
    json!({"where": "other", "secrets": ["a", "b"]}),
    &["other/a secrets[0]", "other/b secrets[1]"]
)]
#[case::of_each(
    json!({"each": "$.refs[*]", "name": "$.name", "namespace": "$.namespace"}),
    json!({"refs": [{"name": "a", "namespace": "one"}, {"name": "b"}, {"name": "c", "namespace": ""}]}),
    &["one/a refs[0].name", "own/b refs[1].name", "own/c refs[2].name"]
)]
#[case::of_another_type(
    json!({"name": "$.name", "namespace": "$.namespace"}), json!({"name": "a", "namespace": 7}), &["own/a name"]
)]
#[case::of_several_all_count(
    json!({"name": "$.name", "namespace": "$.namespaces[*]"}),
    json!({"name": "a", "namespaces": ["one", "two"]}),
    &["one/a name", "two/a name"]
)]
fn a_secret_is_in_the_namespace_that_stands_beside_its_name_or_in_that_of_the_object(
    #[case] place: Value,
    #[case] object: Value,
    #[case] expected: &[&str],
) {
    let kind = kind(json!([place]), None);
    assert!(kind.crosses_namespaces());
    assert_eq!(pointed_to(&kind, &object), expected);
}

#[test]
fn a_kind_without_a_path_to_namespaces_points_to_its_own_alone() {
    let kind = kind(json!([{"name": "$.a"}, {"each": "$.b", "name": "$.c"}]), None);
    assert!(!kind.crosses_namespaces());
    assert_eq!(pointed_to(&kind, &json!({"a": "x", "b": {"c": "y"}})), ["own/x a", "own/y b.c"]);
}

#[rstest]
#[case::true_of_it("object.spec.active", json!({"spec": {"active": true}}), true)]
#[case::false_of_it("object.spec.active", json!({"spec": {"active": false}}), false)]
#[case::not_there("object.spec.active", json!({}), true)]
#[case::no_truth_value("object.spec.active", json!({"spec": {"active": "no"}}), true)]
#[case::a_number("object.spec.replicas > 0", json!({"spec": {"replicas": 0}}), false)]
#[case::a_larger_number("object.spec.replicas > 0", json!({"spec": {"replicas": 3}}), true)]
#[case::being_deleted(
    "!has(object.metadata.deletionTimestamp)", json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}), false
)]
#[case::not_being_deleted("!has(object.metadata.deletionTimestamp)", json!({"metadata": {}}), true)]
#[case::of_a_list("object.c.exists(x, x.type == 'Ready')", json!({"c": [{"type": "A"}, {"type": "B"}]}), false)]
#[case::of_a_list_that_has_it("object.c.exists(x, x.type == 'Ready')", json!({"c": [{"type": "Ready"}]}), true)]
#[case::by_a_pattern("object.name.matches('^a+$')", json!({"name": "ab"}), false)]
#[case::of_too_long_a_list("object.c.exists(x, x == 1)", json!({"c": vec![0; 1_001]}), true)]
#[case::of_too_many_values("object.a == 'b'", json!({"c": vec![vec![0; 1_000]; 50]}), true)]
fn an_object_counts_unless_the_expression_says_that_it_does_not(
    #[case] expression: &str,
    #[case] mut object: Value,
    #[case] expected: bool,
) {
    object["secret"] = "a".into();
    let found = pointed_to(&kind(json!([{"name": "$.secret"}]), Some(expression)), &object);
    assert_eq!(!found.is_empty(), expected, "{found:?}");
}

#[rstest]
#[case::no_root("spec.name", "does not begin with $")]
#[case::no_path("$.spec[", "is no JSONPath of RFC 9535")]
#[case::trailing("$.spec.", "is no JSONPath of RFC 9535")]
#[case::not_of_the_standard("$.a[(@.length-1)]", "is no JSONPath of RFC 9535")]
#[case::everything_of_everything("$..a..b", "too much to look for")]
#[case::a_filter_within_a_filter("$.a[?@.b[?@.c]]", "too much to look for")]
#[case::a_filter_that_begins_anew("$.a[?$.b]", "too much to look for")]
#[case::many_at_once("$[*,*][*,*][*,*][*,*][*,*]", "too much to look for")]
fn a_wrong_path_is_named(#[case] path: &str, #[case] expected: &str) {
    for (place, field) in [
        (json!({"name": path}), "secrets[1].name"),
        (json!({"name": "$.a", "namespace": path}), "secrets[1].namespace"),
        (json!({"name": "$.a", "each": path}), "secrets[1].each"),
    ] {
        let error = ConfiguredKind::compile(definition(json!([{"name": "$.a"}, place]))).unwrap_err();
        assert_eq!(error.field, field);
        assert!(error.reason.contains(expected) && error.reason.contains(path), "{error}");
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
}

#[test]
fn what_stands_in_quotes_costs_nothing() {
    assert!(Path::compile(r"$['a..b..c$,,,,,?','it\'s..?']..d[?@.e == '$?..']").is_ok());
}

#[rstest]
#[case::no_cel("object.spec ==", "is no CEL")]
#[case::another_variable("self.spec.active", "\"self\"")]
#[case::a_variable_out_of_its_macro("object.a.all(x, x > 0) && x", "\"x\"")]
#[case::another_function("object.spec.isActive()", "\"isActive\"")]
#[case::nothing_about_it("true", "says nothing about `object`")]
#[case::lists_within_lists("object.a.all(x, x.all(y, y.all(z, z)))", "too deep")]
#[case::parentheses(&format!("{}object{}", "(".repeat(500), ")".repeat(500)), "more than 40 brackets")]
#[case::very_long(&format!("object.a == '{}'", "a".repeat(2_000)), "at most 1024 bytes")]
fn a_wrong_expression_is_named(#[case] expression: &str, #[case] expected: &str) {
    let definition =
        Definition { needs_secrets: Some(expression.to_owned()), ..definition(json!([{"name": "$.a"}])) };
    let error = ConfiguredKind::compile(definition).unwrap_err();
    assert_eq!(error.field, "needsSecrets");
    assert!(error.reason.contains(expected), "{error}");
}

#[test]
fn no_expression_and_no_path_is_too_deep_to_be_looked_at() {
    let object = json!({"a": 1});
    for [begin, again, end] in [
        ["(", "(", "object"],
        ["object.a == 1 ", "&& object.a ", "!= 2"],
        ["object.a == 1", "+1", ""],
        ["object.a", ".a", ""],
        ["object.a", "[0]", ""],
        ["", "!", "object.a"],
        ["", "-", "object.a"],
        ["object.a", "?object.a:object.a", ""],
        ["object.a?", "true?", "1:2"],
        ["object.a in ", "[object.a,", "1"],
        ["object.a == ", "{1:", "1"],
        ["object.a == ", "size(", "1"],
    ] {
        for times in [20, 40, 100, 300, 1_000] {
            let closing = match again.as_bytes() {
                [.., b'('] => ")",
                [b'[', .., b','] => "]",
                [b'{', ..] => "}",
                [.., b't', b'r', b'u', b'e', b'?'] => ":false",
                _ => "",
            };
            let text = format!("{begin}{}{end}{}", again.repeat(times), closing.repeat(times));
            let described = Definition { needs_secrets: Some(text), ..definition(json!([{"name": "$.a"}])) };
            let _ = ConfiguredKind::compile(described).map(|kind| pointed_to(&kind, &object));
        }
    }
    for (again, closing) in [("(", ")"), ("!(", ")"), ("@[?", "]"), ("length(", ")"), ("[0]", "")] {
        for times in [10, 40, 120] {
            let text = format!("$[?{}@.a{}]", again.repeat(times), closing.repeat(times));
            let compiled = ConfiguredKind::compile(definition(json!([{"name": text}])));
            let _ = compiled.map(|kind| pointed_to(&kind, &object));
        }
    }
}

#[rstest]
#[case::group(json!({"group": "Example/com"}), "group")]
#[case::version(json!({"version": "v1/../v2"}), "version")]
#[case::resource(json!({"resource": "things/status"}), "resource")]
#[case::kind(json!({"kind": "a thing"}), "kind")]
#[case::secrets(json!({"secrets": []}), "secrets")]
#[case::watched_pods(json!({"group": "", "resource": "pods"}), "watched")]
fn what_cannot_be_asked_for_is_named(#[case] change: Value, #[case] field: &str) {
    let mut wrong = json!({
        "group": "example.com", "version": "v1", "resource": "things", "kind": "Thing", "secrets": [{"name": "$.a"}],
    });
    wrong.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    assert_eq!(ConfiguredKind::compile(serde_json::from_value(wrong).unwrap()).unwrap_err().field, field);
}

#[test]
fn what_is_deeper_than_the_parser_goes_is_no_obstacle_to_what_stands_above_it() {
    let deep = 9_000; // The API server's limit is 10,000.
    let text = format!(r#"{{"deep": {}{}, "secret": "a"}}"#, "[".repeat(deep), "]".repeat(deep));
    let object: &RawValue = serde_json::from_str(&text).unwrap();
    let kind = kind(json!([{"name": "$..secret"}]), Some("has(object.secret)"));
    assert_eq!(kind.pointers("own", object).secrets.len(), 1);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[abc]|.{0,4}", inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_written_is_understood_or_an_error(
        path in r"(\$[.\[\]'a-c*?@:0-9, -]{0,24})|.{0,24}",
        expression in r"(object[.a-c()\[\]0-9=!&|?: +*/%<>'-]{0,24})|.{0,24}",
        object in any_json(),
    ) {
        let places = [json!([{"name": path}]), json!([{"name": "$.a"}])];
        for (places, needs_secrets) in places.into_iter().zip([None, Some(expression)]) {
            if let Ok(kind) = ConfiguredKind::compile(Definition { needs_secrets, ..definition(places) }) {
                for place in &kind.places {
                    place.references("own", &object);
                }
                kind.liveness.map(|liveness| liveness.denies(&object));
            }
        }
    }
}
