//! What regcred's account is granted is what it uses, and what it uses is what it is granted: the manifests against all
//! calls that the whole suite has made.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

/// One kind of call: API group, resource with its subresource, verb, namespace (`*` for any but ours, empty for none or
/// all), and name where it is one of ours.
type Call = (String, String, String, String, String);

/// A verb on a resource that a rule grants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    group: String,
    resource: String,
    verb: String,
    /// Where a rule limits itself to a name.
    name: Option<String>,
    /// Where it is that of a Role.
    namespace: Option<String>,
}

impl Right {
    fn covers(&self, (group, resource, verb, namespace, name): &Call) -> bool {
        (&self.group, &self.resource, &self.verb) == (group, resource, verb)
            && self.name.as_ref().is_none_or(|own| own == name)
            && self.namespace.as_ref().is_none_or(|own| own == namespace)
    }

    /// A list is what an API server is asked for that does not begin a watch with it; one that does never is.
    fn is_list_instead_of_watch(&self, used: &BTreeSet<&Self>) -> bool {
        self.verb == "list" && used.contains(&Self { verb: "watch".to_owned(), ..self.clone() })
    }
}

/// The rights that the roles in these documents grant.
fn rights(documents: &[Value]) -> BTreeSet<Right> {
    let texts = |value: &Value| serde_json::from_value::<Vec<String>>(value.clone()).unwrap_or_default();
    let mut rights = BTreeSet::new();
    for role in
        documents.iter().filter(|object| ["Role", "ClusterRole"].contains(&object["kind"].as_str().unwrap()))
    {
        let namespace =
            (role["kind"] == "Role").then(|| role["metadata"]["namespace"].as_str().unwrap().to_owned());
        for rule in role["rules"].as_array().unwrap() {
            let listed: Vec<Option<String>> = texts(&rule["resourceNames"]).into_iter().map(Some).collect();
            let names = if listed.is_empty() { vec![None] } else { listed };
            for (group, resource) in texts(&rule["apiGroups"])
                .iter()
                .flat_map(|group| texts(&rule["resources"]).into_iter().map(move |one| (group, one)))
            {
                for (verb, name) in
                    texts(&rule["verbs"]).iter().flat_map(|verb| names.iter().map(move |name| (verb, name)))
                {
                    rights.insert(Right {
                        group: group.clone(),
                        resource: resource.clone(),
                        verb: verb.clone(),
                        name: name.clone(),
                        namespace: namespace.clone(),
                    });
                }
            }
        }
    }
    rights
}

/// What is wrong: calls that no right covers, and rights that no call needs. A call that a Role
/// covers needs nothing of the whole cluster.
fn differences(granted: &BTreeSet<Right>, calls: &BTreeSet<Call>) -> Vec<String> {
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for call in calls {
        let covering: Vec<&Right> = granted.iter().filter(|right| right.covers(call)).collect();
        let narrowest = covering.iter().any(|right| right.namespace.is_some());
        used.extend(covering.iter().copied().filter(|right| right.namespace.is_some() == narrowest));
        if covering.is_empty() {
            wrong.push(format!("used and not granted: {call:?}"));
        }
    }
    let unused =
        granted.iter().filter(|right| !used.contains(right) && !right.is_list_instead_of_watch(&used));
    wrong.extend(unused.map(|right| format!("granted and never used: {right:?}")));
    wrong
}

fn documents(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests").join(file);
    serde_saphyr::from_multiple(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What is printed for a configuration that tests give to regcred.
fn printed(configuration: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protection/configurations");
    let mut command = Command::new(env!("CARGO_BIN_EXE_regcred"));
    let command = command.args(["manifests", "protection-rbac", "--config"]);
    let output = command.arg(folder.join(configuration)).output().unwrap();
    serde_saphyr::from_multiple(&String::from_utf8(output.stdout).unwrap()).unwrap()
}

fn granted() -> BTreeSet<Right> {
    let shipped = ["rbac.yaml", "components/evict-failing-pods/rbac.yaml"].map(documents);
    let printed = ["pull-secrets.yaml", "widgets.yaml"].map(printed);
    shipped.iter().chain(&printed).flat_map(|documents| rights(documents)).collect()
}

/// Where the bench notes calls; see `tests/harness/watchdog.py`.
fn records() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("calls")
}

/// The last bench writes its record after its tests have ended.
fn all_records() -> Vec<PathBuf> {
    let deadline = Instant::now() + Duration::from_mins(1);
    let mut before = Vec::new();
    loop {
        let entries = std::fs::read_dir(records()).map(|entries| entries.flatten().map(|entry| entry.path()));
        let mut files: Vec<PathBuf> = entries.map(Iterator::collect).unwrap_or_default();
        files.sort();
        let is_finished = files.iter().all(|file| file.extension().is_some_and(|end| end == "calls"));
        if is_finished && files == before || Instant::now() > deadline {
            return files;
        }
        before = files;
        std::thread::sleep(Duration::from_secs(3));
    }
}

#[test]
#[ignore = "it judges a whole run of the suite: .ci/test without arguments runs it at the end"]
fn every_call_of_the_whole_suite_is_granted_and_every_right_is_used() {
    let files = all_records();
    assert!(!files.is_empty(), "nothing to judge in {}: run .ci/test without arguments", records().display());
    let texts = files.iter().map(|file| std::fs::read_to_string(file).unwrap());
    let calls: BTreeSet<Call> = texts
        .flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Call>>())
        .collect();
    let wrong = differences(&granted(), &calls);
    assert!(wrong.is_empty(), "of {} control planes:\n{}", files.len(), wrong.join("\n"));
}

/// Exactly the calls that the rights are for.
fn calls_for(granted: &BTreeSet<Right>) -> BTreeSet<Call> {
    let call = |right: &Right| {
        let namespace = right.namespace.clone().unwrap_or_else(|| "*".to_owned());
        let name = right.name.clone().unwrap_or_default();
        (right.group.clone(), right.resource.clone(), right.verb.clone(), namespace, name)
    };
    granted.iter().map(call).collect()
}

#[test]
fn a_suite_that_uses_each_right_is_content_also_where_lists_come_with_the_watch() {
    let granted = granted();
    let mut calls = calls_for(&granted);
    assert_eq!(differences(&granted, &calls), Vec::<String>::new());
    calls.retain(|(_, resource, verb, ..)| verb != "list" || resource != "namespaces");
    assert_eq!(differences(&granted, &calls), Vec::<String>::new());
}

#[test]
fn a_right_that_no_call_needs_is_told_each() {
    let granted = granted();
    let calls = calls_for(&granted);
    assert!(granted.len() > 20);
    for right in granted.iter().filter(|right| right.verb != "list") {
        let without: BTreeSet<Call> = calls.iter().filter(|call| !right.covers(call)).cloned().collect();
        let wrong = differences(&granted, &without);
        assert!(wrong.contains(&format!("granted and never used: {right:?}")), "{right:?}: {wrong:?}");
    }
}

#[test]
fn a_call_that_no_right_covers_is_told_each() {
    let granted = granted();
    for right in &granted {
        let mut less = granted.clone();
        less.remove(right);
        let call = calls_for(&BTreeSet::from([right.clone()])).pop_first().unwrap();
        let is_covered_otherwise = less.iter().any(|other| other.covers(&call));
        let is_told =
            differences(&less, &calls_for(&granted)).contains(&format!("used and not granted: {call:?}"));
        assert_eq!(is_told, !is_covered_otherwise, "{right:?}");
    }
    let foreign = (String::new(), "configmaps".to_owned(), "get".to_owned(), "*".to_owned(), String::new());
    assert_eq!(differences(&granted, &calls_for(&granted).into_iter().chain([foreign]).collect()).len(), 1);
}
