//! Where races are run: two servers outside of a garden, with delays on both sides of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};

use crate::harness::network::Mode;
use crate::harness::proxy::WatchDelay;
use crate::harness::{Garden, Options, User};
use crate::history::History;
use crate::race;

/// Namespace and name.
pub(crate) type Key = (String, String);

/// How much earlier a deletion begins than a write of a Shoot, on the average: it lists, but the way of a Shoot's review is longer.
pub(crate) const LEAD: Duration = Duration::ZERO;
/// How many namespaces the races are spread over.
const NAMESPACES: usize = 4;
/// The longest that a message between an API server and a server takes, in each direction.
const JITTER: Duration = Duration::from_millis(20);
/// The same on the way of the API server of Shoots: long enough for a Secret to be asked for, and deleted, between the answer to a
/// review and its arrival.
const DETOUR: Duration = Duration::from_millis(200);
/// How late watches are at most: later than a race lasts.
const WATCHES: Duration = Duration::from_secs(2);
/// A request that takes longer is given up by the API servers.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// For how long a reservation counts that nobody settles: twice `REQUEST_TIMEOUT`.
const SETTLE: &str = "--settle-time=10s";

pub(crate) struct Stage {
    garden: Garden,
    client: Client,
    second: Client,
    namespaces: Vec<String>,
    pub(crate) history: History,
}

impl Stage {
    pub(crate) async fn set() -> Arc<Self> {
        let options = Options { request_timeout: Some(REQUEST_TIMEOUT), ..Options::default() };
        let garden = Garden::start(options, &[SETTLE]).await;
        let mut namespaces = Vec::new();
        for _ in 0..NAMESPACES {
            namespaces.push(garden.project().await);
        }
        guarded(&garden, &namespaces[0]).await;
        let first = garden.installation().control_plane();
        let history = History::follow(first.client(User::Admin).await).await;
        // All are asked for through the first, as people do.
        let client = first.client(User::Developer).await;
        let second = garden.second().client(User::Developer).await;
        let stage = Self { garden, client, second, namespaces, history };
        stage.disturb(Mode::Jitter { most: JITTER }, JITTER, WatchDelay::UpTo(WATCHES));
        Arc::new(stage)
    }

    fn disturb(&self, reviews: Mode, calls: Duration, watches: WatchDelay) {
        let detour = if reviews == Mode::Open { Mode::Open } else { Mode::Jitter { most: DETOUR } };
        self.garden.detour().set_mode(detour);
        for replica in self.garden.installation().replicas() {
            replica.backend().set_mode(reviews);
            replica.proxy().jitter_requests(calls);
            replica.proxy().delay_watches(watches);
        }
    }

    /// Nothing is late any more.
    pub(crate) fn calm(&self) {
        self.disturb(Mode::Open, Duration::ZERO, WatchDelay::None);
    }

    pub(crate) fn namespace(&self, number: usize) -> &str {
        &self.namespaces[number % NAMESPACES]
    }

    pub(crate) fn shoots(&self, namespace: &str) -> Api<DynamicObject> {
        shoots(self.client.clone(), namespace)
    }

    pub(crate) fn secrets(&self, namespace: &str) -> Api<Secret> {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub(crate) async fn create_secret(&self, namespace: &str, name: &str) {
        let secret = race::secret(namespace, name);
        self.secrets(namespace).create(&PostParams::default(), &secret).await.unwrap();
    }

    /// The version of the Shoot of a race, in the storage of the second API server.
    pub(crate) async fn version_of_shoot(&self, (namespace, name): &Key) -> Option<u64> {
        let shoots = shoots(self.second.clone(), namespace);
        shoots.get_opt(name).await.unwrap()?.metadata.resource_version?.parse().ok()
    }

    /// Which Secret is there, and stays.
    pub(crate) async fn uid_of(&self, (namespace, name): &Key) -> Option<String> {
        let metadata = self.secrets(namespace).get_metadata_opt(name).await.unwrap()?.metadata;
        metadata.uid.filter(|_| metadata.deletion_timestamp.is_none())
    }
}

fn shoots(client: Client, namespace: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("core.gardener.cloud", "v1beta1", "Shoot");
    Api::namespaced_with(client, namespace, &ApiResource::from_gvk(&kind))
}

/// Waits until the second API server asks about Shoots of a project.
pub(crate) async fn guarded(garden: &Garden, namespace: &str) {
    let shoots = shoots(garden.installation().control_plane().client(User::Developer).await, namespace);
    let probe = crate::harness::gardener::shoot(namespace, "probe", &["missing"]);
    let probe = serde_json::from_value(probe).unwrap();
    let dry_run = PostParams { dry_run: true, field_manager: None };
    let begun = Instant::now();
    loop {
        match shoots.create(&dry_run, &probe).await {
            Err(kube::Error::Api(status)) if status.message.contains("does not exist") => return,
            answer => assert!(begun.elapsed() < Duration::from_mins(1), "nobody is asked: {answer:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
