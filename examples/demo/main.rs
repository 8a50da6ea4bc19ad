//! `make run`: regcred at work on a real control plane, told on the terminal.
//!
//! It stands on the tests' bench: the same control plane, network and installation.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../tests/harness/mod.rs"]
mod harness;
mod offline;
mod terminal;

use std::process::ExitCode;
use std::time::Duration;

use harness::{Installation, User, assets};
use serde_json::Value;
use terminal::{command, say, shown, title};
use tokio::signal::unix::{SignalKind, signal};

/// What a pod's creation must bring in this demonstration, or it says that something is wrong.
const PULL_SECRET: &str = "regcred-registry-example";
/// Far more than a replica needs to see a new credential.
const KNOWN_LIMIT: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> ExitCode {
    let once = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--once") => true,
        Some(other) => {
            eprintln!("demo: {other} is no argument of this; there is --once, which ends it by itself");
            return ExitCode::from(2);
        }
    };
    let mut terminate = signal(SignalKind::terminate()).expect("signals can be received");
    tokio::select! {
        shown = show(once) => match shown {
            Ok(()) => ExitCode::SUCCESS,
            Err(problem) => {
                eprintln!("demo: {problem}");
                ExitCode::FAILURE
            }
        },
        _ = tokio::signal::ctrl_c() => stopped(),
        _ = terminate.recv() => stopped(),
    }
}

fn stopped() -> ExitCode {
    say("stopping; nothing is left running");
    ExitCode::SUCCESS
}

async fn show(once: bool) -> Result<(), String> {
    let build = tokio::task::spawn_blocking(assets::folder);
    offline::show()?;
    title("On a real control plane");
    say("building it if this is the first time (minutes; progress above), else starting it (seconds)");
    build.await.map_err(|_| "there is no control plane; the lines above say why".to_owned())?;
    let installation = Installation::start(&[]).await;
    let control_plane = installation.control_plane();
    say(&format!(
        "Kubernetes {} is up, regcred is installed from manifests/ and served by {} replicas",
        control_plane.version(),
        installation.replicas().len()
    ));
    let kubectl = async |arguments: &str| {
        command(&format!("kubectl {arguments}"));
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let output = control_plane.kubectl(&words).await;
        shown(&output.stdout, &output.stderr);
        output
    };

    title("An admin offers a registry's Secret to all namespaces named team-*");
    kubectl("apply -f examples/hello/credential.yaml -f examples/hello/namespaces.yaml").await.succeeded();
    kubectl("get registrycredentials").await.succeeded();
    known(&installation).await?;

    title("A developer runs a private image; the pull Secret is on the pod, and its copy beside it");
    kubectl("run private --namespace team-a --image registry.example/team/app:1").await.succeeded();
    kubectl("get pod private --namespace team-a --output jsonpath={.spec.imagePullSecrets}")
        .await
        .succeeded();
    kubectl("get secrets --namespace team-a").await.succeeded();
    expect(&installation, "team-a", "private", Some(PULL_SECRET)).await?;
    expect_secrets(&installation, "team-a", &[PULL_SECRET]).await?;

    title("A public image needs nothing and gets nothing");
    kubectl("run public --namespace team-a --image busybox").await.succeeded();
    expect(&installation, "team-a", "public", None).await?;

    title("Another's Secret of the copy's name is never touched; kubectl says so");
    let told = kubectl("run private --namespace team-b --image registry.example/team/app:1").await;
    expect_warning(&told.stderr, "is not regcred's")?;
    expect(&installation, "team-b", "private", None).await?;

    title("A dry run writes nothing and says what would happen");
    kubectl("create namespace team-c").await.succeeded();
    let told =
        kubectl("run private --namespace team-c --image registry.example/team/app:1 --dry-run=server").await;
    expect_warning(&told.stderr, "would create Secret team-c/")?;
    kubectl("get secrets --namespace team-c").await.succeeded();
    expect_secrets(&installation, "team-c", &[]).await?;

    if once {
        title("Done");
        return Ok(());
    }
    play(&installation);
    std::future::pending().await
}

/// Waits until the replicas know the credential, which takes a moment after it was written.
async fn known(installation: &Installation) -> Result<(), String> {
    let control_plane = installation.control_plane();
    let run = [
        "run",
        "probe",
        "--namespace",
        "team-a",
        "--image",
        "registry.example/probe",
        "--dry-run=server",
        "-o",
        "json",
    ];
    let deadline = tokio::time::Instant::now() + KNOWN_LIMIT;
    // Twice for each replica in a row: the API server asks one and then another.
    let mut in_a_row = 0;
    while in_a_row < 2 * installation.replicas().len() {
        // While its source is not known yet, the name is added with a warning.
        let output = control_plane.kubectl(&run).await;
        let waits = output.stderr.contains("waits for");
        in_a_row = if waits || names(&output.json()).is_empty() { 0 } else { in_a_row + 1 };
        if tokio::time::Instant::now() > deadline {
            return Err(format!("the credential is not known after {KNOWN_LIMIT:?}"));
        }
    }
    Ok(())
}

async fn expect(
    installation: &Installation,
    namespace: &str,
    pod: &str,
    secret: Option<&str>,
) -> Result<(), String> {
    let get = ["get", "pod", pod, "--namespace", namespace, "-o", "json"];
    let names = names(&installation.control_plane().kubectl(&get).await.json());
    if names.iter().map(String::as_str).eq(secret) {
        Ok(())
    } else {
        Err(format!("pod {namespace}/{pod} names the pull Secrets {names:?} instead of {secret:?}"))
    }
}

async fn expect_secrets(
    installation: &Installation,
    namespace: &str,
    expected: &[&str],
) -> Result<(), String> {
    let get = ["get", "secrets", "--namespace", namespace, "-o", "json"];
    let list = installation.control_plane().kubectl(&get).await.json();
    let items = list.pointer("/items").and_then(Value::as_array).into_iter().flatten();
    let names: Vec<&str> = items.filter_map(|secret| secret.pointer("/metadata/name")?.as_str()).collect();
    if names == expected {
        Ok(())
    } else {
        Err(format!("namespace {namespace} has the Secrets {names:?} instead of {expected:?}"))
    }
}

fn expect_warning(told: &str, words: &str) -> Result<(), String> {
    let is_told = told.lines().any(|line| line.starts_with("Warning:") && line.contains(words));
    if is_told { Ok(()) } else { Err(format!("kubectl did not warn that {words:?}, but said {told:?}")) }
}

fn names(pod: &Value) -> Vec<String> {
    let secrets = pod.pointer("/spec/imagePullSecrets").and_then(Value::as_array);
    let names = secrets.into_iter().flatten().filter_map(|secret| secret.get("name")?.as_str());
    names.map(str::to_owned).collect()
}

fn play(installation: &Installation) {
    let control_plane = installation.control_plane();
    title("It goes on running until Ctrl-C. In another terminal:");
    println!("  export KUBECONFIG={}", control_plane.kubeconfig(User::Admin).display());
    println!("  alias kubectl={}", assets::binary("kubectl").display());
    println!("  kubectl run mine --namespace team-a --image registry.example/mine");
    println!("  kubectl get pods,secrets --all-namespaces");
    println!("  kubectl explain registrycredential.spec");
    println!(
        "  kubectl delete registrycredential registry-example   # the garbage collector removes the copies"
    );
    for replica in installation.replicas() {
        println!("  curl http://{}/metrics   # {}", replica.admin_address(), replica.name());
    }
}
