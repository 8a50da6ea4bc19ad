//! Where races are run: two servers, with delays on both sides of them.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, DynamicObject, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};

use crate::harness::gardener::know_shoots;
use crate::harness::network::Mode;
use crate::harness::proxy::WatchDelay;
use crate::harness::{Installation, Options, User};
use crate::history::History;
use crate::{figure, race};

/// Namespace and name.
pub(crate) type Key = (String, String);

/// A namespace has a twentieth of the Shoots of two thousand races: lists are short, and many.
const NAMESPACES: usize = 20;
/// The longest that a message between the API server and a server takes, in each direction.
const JITTER: Duration = Duration::from_millis(20);
/// How much earlier a deletion begins than a write of a Shoot, on the average, so that each wins often: it takes longer, for it has to
/// list.
pub(crate) const LEAD: Duration = Duration::from_millis(200);
/// How late watches are at most: later than a race lasts.
const WATCHES: Duration = Duration::from_secs(2);
/// A request that takes longer is given up by the API server.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// For how long a reservation counts that nobody settles: twice `REQUEST_TIMEOUT`.
const SETTLE: &str = "--settle-time=10s";
/// When nothing may be left of a race: the settle time, and what the leader takes for two thousand Secrets.
const AT_REST: Duration = Duration::from_mins(2);

pub(crate) struct Stage {
    installation: Installation,
    client: Client,
    namespaces: Vec<String>,
    pub(crate) history: History,
}

impl Stage {
    pub(crate) async fn set() -> std::sync::Arc<Self> {
        let options = Options { request_timeout: Some(REQUEST_TIMEOUT), ..Options::default() };
        let installation = Installation::install_on(options, &[SETTLE]).await;
        let control_plane = installation.control_plane();
        know_shoots(control_plane).await;
        installation.add_replicas().await;
        installation.registered().await;
        let mut namespaces = Vec::new();
        for _ in 0..NAMESPACES {
            namespaces.push(control_plane.namespace("races").await);
        }
        let history = History::follow(control_plane.client(User::Admin).await).await;
        let client = control_plane.client(User::Developer).await;
        let stage = Self { installation, client, namespaces, history };
        stage.guarded().await;
        stage.disturb();
        std::sync::Arc::new(stage)
    }

    /// Waits until Shoots are asked about.
    async fn guarded(&self) {
        let probe = crate::harness::gardener::shoot(self.namespace(0), "probe", &["missing"]);
        let probe = serde_json::from_value(probe).unwrap();
        let dry_run = PostParams { dry_run: true, field_manager: None };
        let begun = Instant::now();
        while self.shoots(self.namespace(0)).create(&dry_run, &probe).await.is_ok() {
            assert!(begun.elapsed() < Duration::from_mins(1), "nobody is asked about Shoots");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn disturb(&self) {
        for replica in self.installation.replicas() {
            replica.backend().set_mode(Mode::Jitter { most: JITTER });
            replica.proxy().jitter_requests(JITTER);
            replica.proxy().delay_watches(WatchDelay::UpTo(WATCHES));
        }
    }

    /// Nothing is late any more.
    pub(crate) fn calm(&self) {
        for replica in self.installation.replicas() {
            replica.backend().set_mode(Mode::Open);
            replica.proxy().jitter_requests(Duration::ZERO);
            replica.proxy().delay_watches(WatchDelay::None);
        }
    }

    /// Kills a server in the midst of its reviews, and starts another.
    pub(crate) async fn replace_a_killed_server(&self) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let killed = self.installation.replicas().swap_remove(0);
        self.installation.lose_replica(&killed).await;
        self.installation.add_replica().await;
        self.disturb();
    }

    pub(crate) fn namespace(&self, number: usize) -> &str {
        &self.namespaces[number % NAMESPACES]
    }

    pub(crate) fn shoots(&self, namespace: &str) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("core.gardener.cloud", "v1beta1", "Shoot");
        Api::namespaced_with(self.client.clone(), namespace, &ApiResource::from_gvk(&kind))
    }

    pub(crate) fn secrets(&self, namespace: &str) -> Api<Secret> {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub(crate) async fn create_secret(&self, namespace: &str, name: &str) {
        let secret = race::secret(namespace, name);
        self.secrets(namespace).create(&PostParams::default(), &secret).await.unwrap();
    }

    /// The Secrets that Shoots point to, with the versions of these.
    pub(crate) async fn pointing(&self) -> HashMap<Key, u64> {
        let mut pointing = HashMap::new();
        for namespace in &self.namespaces {
            for shoot in self.shoots(namespace).list(&ListParams::default()).await.unwrap() {
                let points = shoot.data["spec"]["resources"].as_array().is_some_and(|all| !all.is_empty());
                let version = shoot.metadata.resource_version.unwrap().parse().unwrap();
                let key = (namespace.clone(), shoot.metadata.name.unwrap());
                pointing.extend(points.then_some((key, version)));
            }
        }
        pointing
    }

    /// Which Secret is there as somebody created it, and stays.
    pub(crate) async fn uid_of(&self, (namespace, name): &Key) -> Option<String> {
        let found = self.secrets(namespace).get_opt(name).await.unwrap()?;
        let stays = found.metadata.deletion_timestamp.is_none() && found.data.is_some();
        found.metadata.uid.filter(|_| stays)
    }

    /// How many Secrets keep what they should not have any more: reservations, or the mark and their place though no Shoot uses them.
    pub(crate) async fn stuck(&self, used: &HashSet<Key>) -> usize {
        let begun = Instant::now();
        loop {
            let mut stuck = Vec::new();
            for secret in self.all().await {
                let metadata = secret.metadata;
                let key = (metadata.namespace.unwrap_or_default(), metadata.name.unwrap_or_default());
                let is_reserved =
                    metadata.annotations.iter().flatten().any(|(name, _)| name.starts_with("reservation."));
                let is_marked =
                    metadata.labels.iter().flatten().any(|(name, _)| name == "regcred.dev/in-use");
                if is_reserved || is_marked != used.contains(&key) {
                    stuck.push(key);
                } else if !used.contains(&key)
                    && let Err(error) = self.secrets(&key.0).delete(&key.1, &DeleteParams::default()).await
                {
                    figure(&format!("protection_races: {error}"));
                    stuck.push(key);
                }
            }
            if stuck.is_empty() {
                figure(&format!("protection_races: nothing is left after {:.1?}", begun.elapsed()));
                return 0;
            }
            if begun.elapsed() > AT_REST {
                figure(&format!("protection_races: left over: {stuck:?}"));
                return stuck.len();
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn all(&self) -> Vec<kube::core::PartialObjectMeta<Secret>> {
        let labelled = ListParams::default().labels("race");
        let all: Api<Secret> = Api::all(self.client.clone());
        all.list_metadata(&labelled).await.unwrap().items
    }
}
