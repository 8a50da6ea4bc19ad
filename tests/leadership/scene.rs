//! Two replicas with times that a test can wait for, and what they and the Lease say.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, Client};

use crate::harness::replica::Replica;
use crate::harness::{Installation, User};

pub(crate) const DURATION: Duration = Duration::from_secs(6);
pub(crate) const DEADLINE: Duration = Duration::from_secs(4);
pub(crate) const RETRY: Duration = Duration::from_secs(1);
/// What calls, scrapes and a busy machine add to a bound.
pub(crate) const MARGIN: Duration = Duration::from_secs(2);

const ARGUMENTS: [&str; 4] =
    ["--lease-duration=6s", "--renew-deadline=4s", "--retry-period=1s", "--drain-pause=5s"];

/// An installation in which somebody leads.
pub(crate) struct Scene {
    pub(crate) installation: Installation,
    leases: Api<Lease>,
    events: Api<Event>,
}

impl Scene {
    pub(crate) async fn set() -> Self {
        let installation = Installation::start(&ARGUMENTS).await;
        let client: Client = installation.control_plane().client(User::Admin).await;
        let (leases, events) =
            (Api::namespaced(client.clone(), "regcred-system"), Api::namespaced(client, "regcred-system"));
        let scene = Self { installation, leases, events };
        scene.leader_within(DURATION + RETRY + MARGIN).await;
        scene
    }

    pub(crate) fn leases(&self) -> &Api<Lease> {
        &self.leases
    }

    /// What the Lease says.
    pub(crate) async fn lease(&self) -> LeaseSpec {
        self.leases.get("regcred").await.unwrap().spec.unwrap()
    }

    /// The name of the replica that the Lease names; empty when it names none.
    pub(crate) async fn holder(&self) -> String {
        let holder = self.lease().await.holder_identity.unwrap_or_default();
        holder.split('_').next().unwrap_or_default().to_owned()
    }

    /// Whether there is an Event that tells of this replica that it became leader.
    pub(crate) async fn told_as_leader(&self, name: &str) -> bool {
        let deadline = Instant::now() + MARGIN;
        while Instant::now() < deadline {
            let events = self.events.list(&ListParams::default()).await.unwrap();
            let tells = |event: &Event| {
                event.regarding.as_ref().is_some_and(|regarding| regarding.kind.as_deref() == Some("Lease"))
                    && event.note.as_ref().is_some_and(|note| note.starts_with(&format!("{name}_")))
            };
            if events.items.iter().any(tells) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }

    /// Those that say that they lead.
    async fn leaders(&self) -> Vec<Arc<Replica>> {
        let mut leaders = Vec::new();
        for replica in self.installation.replicas() {
            if leads(&replica).await {
                leaders.push(replica);
            }
        }
        leaders
    }

    /// The one that leads and the one that does not, and that has seen so in the Lease: who has not waits for nobody.
    pub(crate) async fn leader_and_follower(&self) -> (Arc<Replica>, Arc<Replica>) {
        let leader = self.leader_within(DURATION + RETRY + MARGIN).await;
        let replicas = self.installation.replicas();
        let follower = replicas.into_iter().find(|replica| !Arc::ptr_eq(replica, &leader)).unwrap();
        let deadline = Instant::now() + DURATION + RETRY + MARGIN;
        // Once it looks again it has taken in what it saw first.
        while follower.metrics().await.sum("regcred_api_requests_total", &[("resource", "leases")]) < 2.0 {
            assert!(Instant::now() < deadline, "the other does not look at the Lease");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        (leader, follower)
    }

    async fn leader_within(&self, limit: Duration) -> Arc<Replica> {
        let deadline = Instant::now() + limit;
        loop {
            let mut leaders = self.leaders().await;
            assert!(leaders.len() < 2, "two lead");
            if let Some(leader) = leaders.pop() {
                return leader;
            }
            assert!(Instant::now() < deadline, "nobody leads after {limit:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Whether a replica says that it leads.
pub(crate) async fn leads(replica: &Replica) -> bool {
    replica.metrics().await.sum("regcred_leader", &[]) > 0.5
}

/// How often its leadership has changed in this way.
pub(crate) async fn changes(replica: &Replica, change: &str) -> f64 {
    replica.metrics().await.sum("regcred_leader_changes_total", &[("change", change)])
}

/// Waits until a replica leads, and tells how long that took.
pub(crate) async fn until_leads(replica: &Replica, limit: Duration) -> Duration {
    let begun = Instant::now();
    while !leads(replica).await {
        assert!(begun.elapsed() < limit, "{} does not lead after {limit:?}", replica.name());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    begun.elapsed()
}

/// Tells a figure, also when the test passes: the test runner keeps what is printed otherwise to itself.
pub(crate) fn figure(text: &str) {
    let _ = writeln!(std::io::stderr(), "leadership: {text}");
}
