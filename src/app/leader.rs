//! The parts that act only in the replica that leads: copies, statuses, marks on Secrets in use, and what is asked of pods.

use std::sync::Arc;

use kube::Client;
use prometheus::Registry;

use super::tasks::Tasks;
use super::{AppError, Arguments};
use crate::cluster::carrier::Carrier;
use crate::cluster::changes::Changes;
use crate::cluster::pods;
use crate::cluster::protection::Inquiry;
use crate::controller::copies::{self, Reconciler};
use crate::controller::protection::Protection;
use crate::controller::repair::{self, Repair};
use crate::controller::status::Reporter;
use crate::events::Recorder;
use crate::knowledge::{Index, Pods};
use crate::leadership::Leadership;
use crate::telemetry::pod_metrics::PodMetrics;
use crate::telemetry::protection_metrics::ProtectionMetrics;
use crate::telemetry::reconcile_metrics::ReconcileMetrics;
use crate::telemetry::status_metrics::StatusMetrics;

/// What these parts share.
pub(super) struct Leader {
    pub(super) client: Client,
    pub(super) index: Arc<Index>,
    pub(super) carrier: Carrier,
    pub(super) inquiry: Inquiry,
    pub(super) changes: Changes,
    pub(super) leadership: Leadership,
    pub(super) recorder: Recorder,
}

impl Leader {
    /// Starts them; each waits until this replica leads.
    pub(super) fn spawn(
        self,
        arguments: &Arguments,
        registry: &Registry,
        tasks: &mut Tasks,
    ) -> Result<(), AppError> {
        let Self { client, index, carrier, inquiry, changes, leadership, recorder } = self;
        arguments.pods.check()?;
        let pods = Pods::default();
        if arguments.pods.watch_pods {
            let scope = index.snapshot().scope.clone();
            let watch = pods::run(client.clone(), scope, pods.clone(), changes.clone(), leadership.clone());
            tasks.spawn("watch on pods", watch);
            let repair = Repair {
                client: client.clone(),
                index: Arc::clone(&index),
                pods: pods.clone(),
                changes: changes.clone(),
                leadership: leadership.clone(),
                recorder: recorder.clone(),
                metrics: PodMetrics::register(registry, &repair::eviction_results())?,
                settings: arguments.pods.clone(),
            };
            tasks.spawn("repair of pods", repair.run());
        }
        let protection = Protection {
            client: client.clone(),
            index: Arc::clone(&index),
            inquiry,
            changes: changes.clone(),
            leadership: leadership.clone(),
            settle: arguments.copies.graces().settle,
            recorder: recorder.clone(),
            metrics: ProtectionMetrics::register(registry)?,
        };
        tasks.spawn("protection of Secrets in use", protection.run());
        let reporter = Reporter {
            client: client.clone(),
            index: Arc::clone(&index),
            pods: pods.clone(),
            watches_pods: arguments.pods.watch_pods,
            changes: changes.clone(),
            leadership: leadership.clone(),
            recorder,
            metrics: StatusMetrics::register(registry)?,
        };
        tasks.spawn("reporter of statuses", reporter.run());
        let reconciler = Reconciler {
            client,
            index,
            pods,
            carrier,
            changes,
            leadership,
            graces: arguments.copies.graces(),
            metrics: ReconcileMetrics::register(registry, &copies::outcomes())?,
        };
        tasks.spawn("controller of copies", reconciler.run());
        Ok(())
    }
}
