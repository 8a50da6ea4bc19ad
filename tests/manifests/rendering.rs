//! That the base is whole, and that overlays build on it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use regcred::configuration::Configuration;
use serde_json::{Value, json};

use crate::base::{folder, listed, objects, only, webhooks};

#[test]
fn every_file_of_the_folder_is_listed() {
    let mut files: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| name != "kustomization.yaml")
        .collect();
    files.sort();
    let mut listed = listed();
    listed.sort();
    assert_eq!(files, listed);
    assert!(listed.contains(&"registrycredentials.regcred.dev.yaml".to_owned()));
}

#[test]
fn every_namespaced_object_is_in_our_namespace_and_every_name_is_the_documented_one() {
    let expected = [
        ("Namespace", "regcred-system", false),
        ("ResourceQuota", "regcred-critical-pods", true),
        ("CustomResourceDefinition", "registrycredentials.regcred.dev", false),
        ("ServiceAccount", "regcred", true),
        ("ClusterRole", "regcred", false),
        ("ClusterRoleBinding", "regcred", false),
        ("Role", "regcred", true),
        ("RoleBinding", "regcred", true),
        ("ValidatingAdmissionPolicy", "registrycredentials.regcred.dev", false),
        ("ValidatingAdmissionPolicyBinding", "registrycredentials.regcred.dev", false),
        ("FlowSchema", "regcred", false),
        ("NetworkPolicy", "regcred", true),
        ("Service", "regcred", true),
        ("Deployment", "regcred", true),
        ("PodDisruptionBudget", "regcred", true),
        ("MutatingWebhookConfiguration", "regcred", false),
        ("ValidatingWebhookConfiguration", "regcred", false),
    ];
    assert_eq!(objects().len(), expected.len());
    for (kind, name, namespaced) in expected {
        let object = only(kind);
        assert_eq!(object["metadata"]["name"], name, "{kind}");
        let namespace = if namespaced { json!("regcred-system") } else { Value::Null };
        assert_eq!(object["metadata"]["namespace"], namespace, "{kind}");
    }
}

/// kubectl, from the folder of test binaries or from the PATH.
fn kubectl() -> Option<PathBuf> {
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let path = std::env::var_os("PATH")?;
    assets
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join("kubectl"))
        .find(|program| program.is_file())
}

/// What kustomize makes of a folder. Without kubectl, which `make test` builds, nothing is rendered, and a line says so.
pub(crate) fn rendered(folder: &Path) -> Option<String> {
    let Some(kubectl) = kubectl() else {
        let sentence = format!("\n!! NOT RENDERED: {}, for there is no kubectl to do it\n", folder.display());
        // Past the test runner, which keeps back what a test prints that does not fail.
        std::io::stderr().write_all(sentence.as_bytes()).unwrap();
        return None;
    };
    let output = Command::new(kubectl).arg("kustomize").arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn kustomize_renders_the_base_and_a_certificate_overlay_over_it() {
    let Some(base) = rendered(&folder()) else {
        return;
    };
    assert!(!base.contains("caBundle"), "regcred itself publishes its authority");

    let temporary = tempfile::tempdir().unwrap();
    let arguments = regcred::certificates::overlay::Arguments {
        output: temporary.path().join("overlay"),
        base: folder(),
        namespace: "regcred-system".to_owned(),
        service: "regcred".to_owned(),
        days: 1,
        image: Some("localhost:5000/regcred:test".to_owned()),
        force: false,
    };
    regcred::certificates::overlay::write(&arguments, std::time::SystemTime::now()).unwrap();
    let overlay = rendered(&arguments.output).unwrap();
    assert_eq!(overlay.matches("caBundle: ").count(), webhooks().len(), "each entry trusts it");
    assert_eq!(overlay.matches("image: localhost:5000/regcred:test\n").count(), 1);
    // The Secret itself, and the volume that is of it.
    assert_eq!(overlay.matches("name: regcred-tls\n").count(), 1);
    assert_eq!(overlay.matches("secretName: regcred-tls\n").count(), 1);
    assert_eq!(overlay.matches("value: /etc/regcred/tls\n").count(), 1);
    // The patch adds to the entries, it does not add entries.
    for text in ["failurePolicy: ", "path: /mutate/", "path: /validate/"] {
        assert_eq!(overlay.matches(text).count(), base.matches(text).count(), "{text}");
    }
}

#[test]
fn kustomize_renders_an_overlay_that_brings_its_own_secret_by_the_component() {
    let temporary = tempfile::tempdir_in(folder().join("..")).unwrap();
    let kustomization = "resources: [../manifests]\ncomponents: [../certs/files]\n";
    fs::write(temporary.path().join("kustomization.yaml"), kustomization).unwrap();
    let Some(overlay) = rendered(temporary.path()) else {
        return;
    };
    assert_eq!(overlay.matches("secretName: regcred-tls\n").count(), 1);
    assert_eq!(overlay.matches("name: REGCRED_NAMESPACE\n").count(), 1, "the other variables stay");
}

#[test]
fn who_wants_failing_pods_evicted_gets_the_flag_and_that_one_right_by_a_component() {
    let temporary = tempfile::tempdir_in(folder().join("..")).unwrap();
    let kustomization =
        "resources: [../manifests]\ncomponents: [../manifests/components/evict-failing-pods]\n";
    fs::write(temporary.path().join("kustomization.yaml"), kustomization).unwrap();
    let (Some(base), Some(overlay)) = (rendered(&folder()), rendered(temporary.path())) else {
        return;
    };
    assert_eq!(overlay.matches("- --evict-failing-pods\n").count(), 1);
    assert_eq!(overlay.matches("- --listen=").count(), 1, "the other arguments stay");
    assert!(!base.contains("pods/eviction"), "eviction is not for everybody");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&overlay).unwrap();
    let role = objects.iter().find(|object| {
        object["kind"] == "ClusterRole" && object["metadata"]["name"] == "regcred-evict-failing-pods"
    });
    let rules = json!([{"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]}]);
    assert_eq!(role.unwrap()["rules"], rules);
}

#[test]
fn who_wants_a_configuration_of_their_own_has_it_mounted_by_a_component() {
    let shipped = fs::read_to_string(folder().join("components/configuration/regcred.yaml")).unwrap();
    assert_eq!(Configuration::parse(&shipped).unwrap(), Configuration::default(), "it holds the defaults");

    let temporary = tempfile::tempdir_in(folder().join("..")).unwrap();
    let kustomization = "resources: [../manifests]\ncomponents: [../manifests/components/configuration]\n\
                         configMapGenerator:\n- name: regcred\n  namespace: regcred-system\n  files: [regcred.yaml]\n  \
                         options: {disableNameSuffixHash: true}\n";
    fs::write(temporary.path().join("kustomization.yaml"), kustomization).unwrap();
    fs::write(temporary.path().join("regcred.yaml"), "of our own").unwrap();
    let Some(overlay) = rendered(temporary.path()) else {
        return;
    };
    let objects: Vec<Value> = serde_saphyr::from_multiple(&overlay).unwrap();
    let of_kind = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap();
    let map = of_kind("ConfigMap");
    assert_eq!(map["metadata"]["name"], "regcred");
    assert_eq!(map["data"], json!({"regcred.yaml": "of our own"}));
    let pod = &of_kind("Deployment")["spec"]["template"]["spec"];
    assert_eq!(pod["volumes"], json!([{"name": "configuration", "configMap": {"name": "regcred"}}]));
    let container = &pod["containers"][0];
    let mount = &container["volumeMounts"][0];
    let variables = container["env"].as_array().unwrap();
    let path = variables.iter().find(|variable| variable["name"] == "REGCRED_CONFIG").unwrap();
    assert_eq!(path["value"], format!("{}/regcred.yaml", mount["mountPath"].as_str().unwrap()));
    assert!(variables.iter().any(|variable| variable["name"] == "REGCRED_NAMESPACE"), "the others stay");
}
