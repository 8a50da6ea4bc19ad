//! `regcred serve`: makes the parts, joins them, and watches over them until it is told to stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use prometheus::Registry;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use leader::Leader;
use tasks::Tasks;

use crate::admission::{Needs, Reviewer};
use crate::certificates::own::{self, Keeper, ScheduleError};
use crate::cluster::carrier::Carrier;
use crate::cluster::changes::Changes;
use crate::cluster::pending::Pending;
use crate::cluster::protection::Inquiry;
use crate::cluster::{own_user, referrers, watch};
use crate::configuration::{self, ConfigurationFile, FileError};
use crate::controller::copies::CopySettings;
use crate::controller::repair::{PodSettings, PodSettingsError};
use crate::controller::retry;
use crate::events::{self, Recorder};
use crate::knowledge::Index;
use crate::leadership::{self, Elector, RELEASE_TIMEOUT};
use crate::model::consent::Consent;
use crate::model::scope::{self, Scope};
use crate::policy::Rule;
use crate::server::{
    Limits, Readiness, ReviewRoutes, ServeError, Server, Settings, Shutdown, StartError, admin,
};
use crate::telemetry::admission_metrics::AdmissionMetrics;
use crate::telemetry::api_metrics::ApiMetrics;
use crate::telemetry::certificate_metrics::CertificateMetrics;
use crate::telemetry::configuration_metrics::ConfigurationMetrics;
use crate::telemetry::copy_metrics::CopyMetrics;
use crate::telemetry::event_metrics::EventMetrics;
use crate::telemetry::leader_metrics::LeaderMetrics;
use crate::telemetry::log::{self, LogError, LogFormat};
use crate::telemetry::metrics::ServerMetrics;

mod leader;
mod tasks;

/// How long a connection to the API server may take: an admission call that needs one has a few seconds in all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The arguments of `regcred serve`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    server: Settings,

    #[command(flatten)]
    copies: CopySettings,

    #[command(flatten)]
    leadership: leadership::LeaseSettings,

    #[command(flatten)]
    pods: PodSettings,

    /// How log lines look
    #[arg(long, env = "REGCRED_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,

    /// Which log lines are written: error, warn, info, debug or trace, also per part as in info,regcred=debug
    #[arg(long, env = "REGCRED_LOG_LEVEL", value_name = "FILTER", default_value = "info")]
    log_level: String,

    /// The kubeconfig of the cluster that regcred is for, where it runs outside of it; all that regcred reads and writes is in
    /// that cluster. By default those of KUBECONFIG, or in a pod its ServiceAccount
    #[arg(long, env = "REGCRED_KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// The namespace regcred runs in, which gets no copies; by default that of its ServiceAccount or kubeconfig
    #[arg(long, env = "REGCRED_NAMESPACE", value_name = "NAME")]
    namespace: Option<String>,

    /// Limits regcred to these namespaces: it looks at sources, copies and pods there, and needs no right on those of
    /// others. A credential whose source is elsewhere is not carried, a namespace that is not listed gets nothing. By
    /// default all namespaces
    #[arg(
        long, env = "REGCRED_NAMESPACES", value_name = "NAMES", value_delimiter = ',', value_parser = scope::parse_name
    )]
    namespaces: Vec<Arc<str>>,

    /// Whether namespaces are asked, by their labels, if they consent to a credential that is offered to them
    #[arg(long, env = "REGCRED_CONSENT", value_enum, value_name = "WHO", default_value = "off")]
    consent: Consent,

    /// What the rules are to be: a YAML file of kind Configuration, which is read anew whenever it changes
    /// (`regcred manifests config-schema` prints what it may hold)
    #[arg(long, env = "REGCRED_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    // Last: its heading holds for what comes after it, too.
    #[command(flatten)]
    certificates: own::Settings,
}

/// Why serving did not begin, or ended.
#[derive(Debug, Error)]
pub enum AppError {
    /// Logging.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The runtime could not be started.
    #[error("the runtime could not be started: {0}")]
    Runtime(#[from] std::io::Error),
    /// Nothing says where the API server is.
    #[error("no way to the API server: {0}; run in a pod with a ServiceAccount token, or set KUBECONFIG")]
    NoCluster(#[source] Box<kube::config::InferConfigError>),
    /// The kubeconfig that was named cannot be used.
    #[error("--kubeconfig cannot be used: {0}")]
    Kubeconfig(#[source] Box<KubeconfigError>),
    /// The configuration cannot be used.
    #[error("the client of the API server could not be made: {0}; check the kubeconfig's certificates")]
    Client(#[source] Box<kube::Error>),
    /// A metric is registered twice, which is a defect.
    #[error("the metrics could not be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The times of the lease contradict each other.
    #[error(transparent)]
    Leadership(#[from] leadership::SettingsError),
    /// The settings about pods contradict each other.
    #[error(transparent)]
    Pods(#[from] PodSettingsError),
    /// Listening or the certificate.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The configuration.
    #[error(transparent)]
    Configuration(#[from] FileError),
    /// Durations of certificates that do not go together.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// A part of the server ended by itself.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// Another part ended by itself.
    #[error("the {0} ended unexpectedly; the log says why")]
    Ended(&'static str),
}

/// Serves until SIGTERM or SIGINT; a second one ends at once.
///
/// # Errors
/// When something is wrong at the start, or a part ends that must not.
pub fn serve(arguments: &Arguments) -> Result<(), AppError> {
    log::init(arguments.log_format, &arguments.log_level)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(arguments))
}

async fn run(arguments: &Arguments) -> Result<(), AppError> {
    let (registry, readiness, limits) = (Registry::new(), Readiness::new(), Limits::default());
    let mut tasks = Tasks::default();
    // Before anything is asked of anybody: a mistake in it is told at once.
    let rules = follow_configuration(arguments.config.as_deref(), &registry, &readiness, &mut tasks)?;
    let config = cluster_configuration(arguments.kubeconfig.as_deref()).await?;
    let own_namespace = arguments.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    let client = client(config, &ApiMetrics::register(&registry)?)?;
    let server_metrics = ServerMetrics::register(&registry)?;
    let admission_metrics = AdmissionMetrics::register(&registry)?;
    let index = Arc::new(
        Index::new(&own_namespace)
            .with_consent(arguments.consent)
            .with_scope(Scope::of(&arguments.namespaces))
            .with_reliance_for(arguments.copies.graces().settle),
    );
    let pending = Pending::default();
    let changes = Changes::default();
    let copy_metrics = CopyMetrics::register(&registry)?;
    let carrier = Carrier::new(client.clone(), Arc::clone(&index), pending.clone(), copy_metrics.clone());
    let inquiry = Inquiry::new(client.clone(), index.snapshot().scope.clone()).with_rules(rules.clone());
    let server =
        Server::bind(&arguments.server, limits.clone(), readiness.clone(), server_metrics.clone()).await?;
    let certificates = certificates(arguments, &server, client.clone(), &own_namespace, &registry)?;
    let watches =
        watch::run(client.clone(), Arc::clone(&index), pending.clone(), changes.clone(), &readiness);
    let of_referrers = referrers::run(
        client.clone(),
        Arc::clone(&index),
        inquiry.kinds().clone(),
        changes.clone(),
        rules.clone(),
        &readiness,
    );
    let own_user = own_user::run(client.clone(), Arc::clone(&index), &readiness);
    let retries = retry::run(Arc::clone(&index), carrier.clone(), pending.clone(), copy_metrics);
    let leader_metrics = LeaderMetrics::register(&registry)?;
    let event_metrics = EventMetrics::register(&registry)?;
    let replica = &arguments.leadership.pod_name;
    let (recorder, publisher) =
        Recorder::new(client.clone(), replica, events::Limits::default(), event_metrics);
    let (elector, leads) = Elector::new(
        client.clone(),
        &own_namespace,
        &arguments.leadership,
        leader_metrics,
        recorder.clone(),
    )?;
    let leader = Leader {
        client: client.clone(),
        index: Arc::clone(&index),
        carrier: carrier.clone(),
        inquiry: inquiry.clone(),
        changes,
        leadership: leads,
        recorder: recorder.clone(),
    };
    leader.spawn(arguments, &registry, &mut tasks)?;
    let needs =
        Needs::new(client, &index.snapshot().scope.clone(), carrier, inquiry, admission_metrics.clone());
    let reviewer =
        Reviewer::new(index, rules, needs, pending, readiness.clone(), admission_metrics, recorder);
    let shutdown = Shutdown::new();
    let mut election = tokio::spawn(elect(elector, readiness.clone(), shutdown.clone()));
    let serving = server.run(
        routes(&limits, server_metrics, &reviewer).into_router(),
        admin::router(readiness, registry),
        shutdown.clone(),
    );
    tasks.spawn("watches", watches);
    tasks.spawn("watches on what points to Secrets", of_referrers);
    tasks.spawn("look at who regcred is", own_user);
    tasks.spawn("retry loop", retries);
    tasks.spawn("keeping of certificates", certificates);
    tasks.spawn("publisher of Events", publisher.run());
    let ended = tokio::select! {
        ended = serving => ended.map(drop).map_err(AppError::from),
        name = tasks.ended() => Err(AppError::Ended(name)),
        () = too_early(&mut election, &shutdown) => Err(AppError::Ended("leader election")),
        error = pass_on_signals(&shutdown) => Err(error),
    };
    give_lease_back(election, &shutdown).await;
    ended
}

/// What the rules are to be, kept that of its file where there is one.
fn follow_configuration(
    path: Option<&Path>,
    registry: &Registry,
    readiness: &Readiness,
    tasks: &mut Tasks,
) -> Result<configuration::Current, AppError> {
    let (current, metrics) = (configuration::Current::default(), ConfigurationMetrics::register(registry)?);
    if let Some(path) = path {
        let file =
            ConfigurationFile::load(path, current.clone(), readiness.remark("configuration"), metrics)?;
        tasks.spawn("following of the configuration", file.follow());
    }
    Ok(current)
}

/// Takes part in the election as soon as this replica could do what a leader does. One that has not yet seen what there is
/// would keep the lease from one that has; and by what it does not know, copies could look as if nobody wanted them.
async fn elect(elector: Elector, readiness: Readiness, shutdown: Shutdown) {
    tokio::select! {
        () = shutdown.requested() => {}
        () = readiness.complete() => elector.run(shutdown.requested()).await,
    }
}

/// Waits for the election to give the lease back, unless there is no time for it.
async fn give_lease_back(election: JoinHandle<()>, shutdown: &Shutdown) {
    if !election.is_finished() && !shutdown.is_aborted() {
        // It began to give the lease back when the server began to drain, and is nearly always long through.
        if !shutdown.is_requested() {
            shutdown.request();
        }
        let _ = tokio::time::timeout(RELEASE_TIMEOUT, election).await;
    }
}

/// Waits until a task ends that must not before the server is told to stop.
async fn too_early(task: &mut JoinHandle<()>, shutdown: &Shutdown) {
    let ended = task.await;
    if ended.is_ok() && shutdown.is_requested() {
        std::future::pending::<()>().await;
    }
}

/// The client never retries by itself: a call's time is short, and the watches have their own pauses.
async fn cluster_configuration(kubeconfig: Option<&Path>) -> Result<Config, AppError> {
    let mut config = match kubeconfig {
        // Of this file or of none: a mistake in it must not lead to the cluster that the pod is in.
        Some(path) => of_kubeconfig(path).await.map_err(|error| AppError::Kubeconfig(Box::new(error)))?,
        None => Config::infer().await.map_err(|error| AppError::NoCluster(Box::new(error)))?,
    };
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    Ok(config)
}

async fn of_kubeconfig(path: &Path) -> Result<Config, KubeconfigError> {
    let kubeconfig = Kubeconfig::read_from(path)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await
}

/// Keeps our own certificates, where they are not those of files; for ever in any case.
fn certificates(
    arguments: &Arguments,
    server: &Server,
    client: Client,
    namespace: &str,
    registry: &Registry,
) -> Result<impl Future<Output = ()> + Send + 'static, AppError> {
    let keeper = if arguments.server.tls_directory.is_none() {
        let metrics = CertificateMetrics::register(registry)?;
        Some(Keeper::new(&arguments.certificates, client, namespace, server.identity(), metrics)?)
    } else {
        None
    };
    Ok(async {
        match keeper {
            Some(keeper) => keeper.run().await,
            None => std::future::pending().await,
        }
    })
}

/// A client whose calls are counted.
fn client(config: Config, metrics: &ApiMetrics) -> Result<Client, AppError> {
    let builder = ClientBuilder::try_from(config).map_err(|error| AppError::Client(Box::new(error)))?;
    Ok(builder.with_layer(metrics).build())
}

/// The paths of the webhook configurations.
fn routes(limits: &Limits, metrics: ServerMetrics, reviewer: &Reviewer) -> ReviewRoutes {
    Rule::ALL.into_iter().fold(ReviewRoutes::new(limits, metrics), |routes, rule| {
        let reviewer = reviewer.clone();
        routes.route(rule.path(), move |body, deadline| {
            let reviewer = reviewer.clone();
            async move { reviewer.answer(rule, body, deadline).await }
        })
    })
}

/// Runs for ever, or until signals cannot be received.
async fn pass_on_signals(shutdown: &Shutdown) -> AppError {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (mut terminate, mut interrupt) = match signals {
        (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
        (Err(error), _) | (_, Err(error)) => return AppError::Runtime(error),
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        shutdown.request();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_cluster_is_that_of_the_kubeconfig_that_is_named_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        let error = cluster_configuration(Some(&path)).await.unwrap_err().to_string();
        assert!(
            error.starts_with("--kubeconfig cannot be used: ") && error.contains("kubeconfig"),
            "{error}"
        );
        let kubeconfig = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "garden",
            "contexts": [{"name": "garden", "context": {"cluster": "garden", "user": "regcred", "namespace": "here"}}],
            "clusters": [{"name": "garden", "cluster": {"server": "https://garden.example.com"}}],
            "users": [{"name": "regcred", "user": {"token": "any"}}],
        });
        std::fs::write(&path, kubeconfig.to_string()).unwrap();
        let config = cluster_configuration(Some(&path)).await.unwrap();
        assert_eq!(config.cluster_url.host(), Some("garden.example.com"));
        assert_eq!(config.default_namespace, "here");
        assert!(!config.default_retry);
    }
}
