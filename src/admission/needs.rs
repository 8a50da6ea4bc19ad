//! Carries out what decisions need.

use futures::FutureExt;
use futures::future::{join, join_all};
use kube::Client;

use super::inquiries;
use crate::cluster::carrier::Carrier;
use crate::cluster::protection::Inquiry;
use crate::cluster::reads;
use crate::cluster::selected_secrets::SelectedSecrets;
use crate::model::copy::Wanted;
use crate::model::copy::{CopyAnswer, Obstacle};
use crate::model::scope::Scope;
use crate::policy::{Answers, NamespaceAnswer, Need, SecretsAnswer};
use crate::server::Deadline;
use crate::telemetry::admission_metrics::AdmissionMetrics;

/// What a need is told when the deadline came first.
pub(super) const OUT_OF_TIME: &str = "this request's time was over";

/// Carries out needs with the cluster.
#[derive(Clone)]
pub struct Needs {
    client: Client,
    carrier: Carrier,
    selected: SelectedSecrets,
    inquiry: Inquiry,
    metrics: AdmissionMetrics,
}

impl Needs {
    /// Carries them out in the namespaces of the scope.
    pub fn new(
        client: Client,
        scope: &Scope,
        carrier: Carrier,
        inquiry: Inquiry,
        metrics: AdmissionMetrics,
    ) -> Self {
        let selected = SelectedSecrets::new(client.clone(), scope.clone());
        Self { client, carrier, selected, inquiry, metrics }
    }

    /// Carries out all, those that may be many at the same time, under one deadline. What is not done by then is answered as such; a write
    /// goes on, and its result is remembered.
    pub(super) async fn carry_out(&self, needs: Vec<Need>, answers: &mut Answers, deadline: &Deadline) {
        let (mut copies, mut secrets, mut protected) = (Vec::new(), Vec::new(), Vec::new());
        for need in needs {
            match need {
                Need::Namespace(name) => {
                    self.metrics.namespace_read();
                    let read = deadline.run(reads::namespace(&self.client, &name)).await;
                    let answer = read.unwrap_or_else(|_| NamespaceAnswer::Unknown(OUT_OF_TIME.into()));
                    answers.namespace = Some(answer);
                }
                Need::Secrets(query) => secrets.push(async move {
                    let found = deadline.run(self.selected.by(&query)).await;
                    let out_of_time = |_| SecretsAnswer::Unknown(OUT_OF_TIME.into());
                    (query.selector, found.unwrap_or_else(out_of_time))
                }),
                Need::Copy { wanted, is_dry_run } => {
                    let name = wanted.credential.name.clone();
                    let copy = self.copy(wanted, is_dry_run);
                    copies.push(deadline.run(copy).map(|answer| {
                        let out_of_time = || CopyAnswer::Blocked(Obstacle::Passing(OUT_OF_TIME.into()));
                        (name, answer.unwrap_or_else(|_| out_of_time()))
                    }));
                }
                need => protected.push(need),
            }
        }
        let (copies, secrets) = join(join_all(copies), join_all(secrets)).await;
        answers.copies.extend(copies);
        answers.secrets.extend(secrets);
        inquiries::carry_out(&self.inquiry, protected, answers, deadline).await;
    }

    async fn copy(&self, wanted: Wanted, is_dry_run: bool) -> CopyAnswer {
        if is_dry_run { self.carrier.look(&wanted).await } else { self.carrier.create(wanted).await }
    }
}
