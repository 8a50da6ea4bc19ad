//! The loads: reviews straight to the servers behind the Service, and pods through the API server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::load::{Client, Report, paced};
use crate::harness::reviews::expect_added;
use crate::harness::stage::Stage;

/// Reviews per second.
const REVIEWS: u32 = 500;
/// Pods per second.
pub(crate) const PODS: u32 = 100;

/// Ends a load when what it runs beside has ended.
#[derive(Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// For a load that only has to be so large.
    pub(crate) fn already() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// Runs something, then stops the load.
    pub(crate) async fn after(self, work: impl Future<Output = ()>) {
        work.await;
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Reviews of pods whose copy is there, at least so many and until told to stop. Each answer has to be that of its
/// request and to add the pull Secret.
pub(crate) async fn reviews(
    stage: &Stage,
    client: &Arc<Client>,
    namespace: &str,
    least: usize,
    stop: &Stop,
) -> Report {
    let (pod, copy) = (Arc::new(stage.pod_as_json(namespace, "reviewed")), stage.copy());
    let send = |_| {
        let (client, pod, copy) = (Arc::clone(client), Arc::clone(&pod), copy.clone());
        async move { expect_added(&client, &pod, &copy).await }
    };
    let mut report = paced(REVIEWS, |begun| begun >= least && stop.is_set(), send).await;
    report.connections_made = client.made();
    report
}

/// Pods created through the API server, at least so many and until told to stop. One that is created without the pull
/// Secret is a failure.
pub(crate) async fn pods(stage: &Arc<Stage>, namespace: &'static str, least: usize, stop: &Stop) -> Report {
    let create = |number| {
        let stage = Arc::clone(stage);
        async move {
            let name = format!("pod-{number}");
            let names =
                stage.create_pod(namespace, &name).await.map_err(|error| format!("{name}: {error}"))?;
            if names == [stage.copy()] { Ok(()) } else { Err(format!("{name} names {names:?}")) }
        }
    };
    paced(PODS, |begun| begun >= least && stop.is_set(), create).await
}

/// A namespace with its copy, which every server has seen.
pub(crate) async fn warm_namespace(stage: &Stage, name: &'static str) {
    stage.create_namespace(name).await.unwrap();
    assert_eq!(stage.create_pod(name, "first").await.unwrap(), [stage.copy()]);
    assert_eq!(stage.copies().await.len(), 1, "its copy is there");
}
