//! The Deployment and what is around it.

use std::time::Duration;

use clap::{Args as _, Command, FromArgMatches as _};
use regcred::server::Settings;
use serde_json::{Value, json};

use crate::base::{argument, container, container_port, documents, only, pod, webhooks};

#[test]
fn the_pod_keeps_the_restricted_level_and_cannot_write_its_root() {
    let context = &pod()["securityContext"];
    assert_eq!(context["runAsNonRoot"], true);
    assert!(context["runAsUser"].as_u64().unwrap() > 0);
    assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
    let context = &container()["securityContext"];
    assert_eq!(context["allowPrivilegeEscalation"], false);
    assert_eq!(context["readOnlyRootFilesystem"], true);
    assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}));
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        assert_eq!(pod()[field], Value::Null, "{field}");
    }
}

#[test]
fn ports_agree_from_the_webhooks_through_the_service_to_the_arguments() {
    let service = only("Service");
    let ports = service["spec"]["ports"].as_array().unwrap();
    assert_eq!(ports.len(), 1, "only the webhook is on the Service");
    assert_eq!(ports[0]["targetPort"], "webhook");
    for webhook in webhooks() {
        let reference = &webhook["clientConfig"]["service"];
        assert_eq!(reference["port"], ports[0]["port"]);
        assert_eq!(reference["name"], service["metadata"]["name"]);
        assert_eq!(reference["namespace"], service["metadata"]["namespace"]);
    }
    for (name, flag) in [("webhook", "--listen"), ("admin", "--admin-listen")] {
        let listens_on = argument(flag).unwrap();
        assert_eq!(listens_on, format!("0.0.0.0:{}", container_port(name)));
    }
    let policy = only("NetworkPolicy");
    let open: Vec<_> = policy["spec"]["ingress"][0]["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| port["port"].clone())
        .collect();
    assert_eq!(open, [container_port("webhook"), container_port("admin")]);
}

#[test]
fn every_selector_selects_the_deployments_pods() {
    let labels = &only("Deployment")["spec"]["template"]["metadata"]["labels"];
    let mut selectors = vec![
        only("Deployment")["spec"]["selector"]["matchLabels"].clone(),
        only("Service")["spec"]["selector"].clone(),
        only("PodDisruptionBudget")["spec"]["selector"]["matchLabels"].clone(),
        only("NetworkPolicy")["spec"]["podSelector"]["matchLabels"].clone(),
    ];
    for constraint in pod()["topologySpreadConstraints"].as_array().unwrap() {
        selectors.push(constraint["labelSelector"]["matchLabels"].clone());
    }
    assert_eq!(selectors.len(), 6);
    for selector in selectors {
        assert_eq!(&selector, labels);
    }
}

#[test]
fn probes_ask_the_admin_port_and_only_readiness_may_depend_on_anything() {
    let container = container();
    for (probe, path) in
        [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")]
    {
        assert_eq!(container[probe]["httpGet"], json!({"path": path, "port": "admin"}), "{probe}");
    }
}

#[test]
fn a_rolling_update_never_has_fewer_servers_and_a_drained_node_takes_one_at_most() {
    let deployment = only("Deployment");
    assert!(deployment["spec"]["replicas"].as_u64().unwrap() >= 2);
    let update = json!({"maxUnavailable": 0, "maxSurge": 1});
    assert_eq!(deployment["spec"]["strategy"]["rollingUpdate"], update);
    let budget = only("PodDisruptionBudget");
    assert_eq!(budget["spec"]["maxUnavailable"], 1);
    assert_eq!(budget["spec"]["unhealthyPodEvictionPolicy"], "AlwaysAllow");
    assert_eq!(pod()["priorityClassName"], "system-cluster-critical");
}

#[test]
fn memory_is_limited_and_cpu_is_not() {
    let limits = &container()["resources"]["limits"];
    assert!(limits["memory"].is_string());
    assert_eq!(limits["cpu"], Value::Null);
}

#[test]
fn the_base_needs_no_secret_that_somebody_else_brings() {
    assert_eq!(argument("--tls-directory"), None);
    assert_eq!(pod()["volumes"], Value::Null);
    assert_eq!(container()["volumeMounts"], Value::Null);
}

#[test]
fn a_certificate_of_files_is_mounted_as_a_whole_folder_where_the_server_looks() {
    let patch = &documents("../certs/files/deployment.yaml")[0];
    let deployment = only("Deployment");
    assert_eq!(patch["metadata"]["name"], deployment["metadata"]["name"]);
    assert_eq!(patch["metadata"]["namespace"], deployment["metadata"]["namespace"]);
    let pod = &patch["spec"]["template"]["spec"];
    let patched = &pod["containers"][0];
    assert_eq!(patched["name"], container()["name"]);
    let mount = &patched["volumeMounts"][0];
    let variable = json!({"name": "REGCRED_TLS_DIRECTORY", "value": mount["mountPath"]});
    assert_eq!(patched["env"], json!([variable]));
    for field in ["subPath", "subPathExpr"] {
        assert_eq!(mount[field], Value::Null, "{field} would keep a renewed certificate out");
    }
    let volume = &pod["volumes"][0];
    assert_eq!(volume["name"], mount["name"]);
    assert_eq!(volume["secret"]["secretName"], "regcred-tls");
    assert_ne!(volume["secret"]["optional"], true);
    // Without this group the server could not read what is readable for the group alone.
    assert_eq!(
        pod["securityContext"]["fsGroup"],
        deployment["spec"]["template"]["spec"]["securityContext"]["runAsGroup"]
    );
}

/// The server's settings as the Deployment's arguments make them; what they leave out has the server's defaults.
fn settings() -> Settings {
    let command = Settings::augment_args(Command::new("serve"));
    let container = container();
    let arguments = container["args"].as_array().unwrap().iter().filter_map(Value::as_str);
    let for_the_server = arguments.filter(|argument| {
        let flag = argument.trim_start_matches('-').split('=').next();
        command.get_arguments().any(|known| known.get_long() == flag)
    });
    let matches = command.clone().get_matches_from(std::iter::once("serve").chain(for_the_server));
    Settings::from_arg_matches(&matches).unwrap()
}

#[test]
fn the_grace_period_outlasts_the_pause_and_the_drain() {
    let settings = settings();
    let stopping = settings.drain_pause + settings.drain_timeout;
    let grace = Duration::from_secs(pod()["terminationGracePeriodSeconds"].as_u64().unwrap());
    assert!(grace > stopping, "{grace:?} is not more than {stopping:?}");
}
