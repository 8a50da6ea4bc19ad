//! Somebody who creates pods all the while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use tokio::task::JoinHandle;

use crate::harness::control_plane::unique;
use crate::harness::credentials::pod;
use crate::harness::{ControlPlane, User};

/// The webhook's own 3 s, and a busy machine.
const LONGEST: Duration = Duration::from_secs(10);
/// Often enough to meet every moment of an uninstallation.
const PAUSE: Duration = Duration::from_millis(100);

/// Creates pods until it is ended; that none was refused and none took long is looked at then.
pub(crate) struct Probe {
    stop: Arc<AtomicBool>,
    task: JoinHandle<(usize, Duration)>,
}

impl Probe {
    pub(crate) async fn start(control_plane: &ControlPlane, namespace: &str, image: &str) -> Self {
        let pods: Api<Pod> = Api::namespaced(control_plane.client(User::Developer).await, namespace);
        let (namespace, image) = (namespace.to_owned(), image.to_owned());
        let stop = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let (mut count, mut longest) = (0, Duration::ZERO);
            while !is_over.load(Ordering::Relaxed) {
                let object = pod(&namespace, &unique("probe"), &[&image]);
                let begun = Instant::now();
                pods.create(&PostParams::default(), &serde_json::from_value(object).unwrap())
                    .await
                    .expect("a pod can always be created");
                longest = longest.max(begun.elapsed());
                count += 1;
                tokio::time::sleep(PAUSE).await;
            }
            (count, longest)
        });
        Self { stop, task }
    }

    /// How many pods it has created, and how long the slowest took.
    pub(crate) async fn end(self) -> (usize, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        let (count, longest) = self.task.await.expect("no pod was refused");
        assert!(count > 0 && longest < LONGEST, "{count} pods, the slowest in {longest:?}");
        (count, longest)
    }
}
