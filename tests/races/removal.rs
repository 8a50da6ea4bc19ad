//! The last pod that needs a copy goes, and another comes: before the copy is marked, while it is, and as it is deleted.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::Api;
use kube::api::{DeleteParams, ListParams, WatchEvent, WatchParams};
use regcred::model::copy::is_marked;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use crate::harness::audit::Event;
use crate::harness::proxy::WatchDelay;
use crate::harness::replica::Replica;
use crate::harness::stage::{Stage, pull_secrets};
use crate::harness::{Installation, Options, User};

const NAMESPACES: usize = 500;
/// How late the watches of the server are that is asked, in each round: in the second its copies can be marked and gone
/// before it has heard of either.
const ROUNDS: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(15)];
/// With watches that are this late at most, the settle time outlasts every request: no copy goes under a pod.
const COVERED: Duration = SETTLE.saturating_sub(REQUEST_TIMEOUT);
/// A request that takes longer is given up by the API server.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Twice that: from the mark to the deletion.
const SETTLE: Duration = Duration::from_secs(10);
/// A copy is marked as soon as its last pod is gone.
const ARGUMENTS: [&str; 2] = ["--unneeded-grace=0s", "--settle-time=10s"];
/// The races of a round begin one after the other, as fast as this machine creates pods without a queue.
const BETWEEN_RACES: Duration = Duration::from_millis(15);
/// A copy is marked within a moment; a machine that is busy takes longer.
const MARKED_WITHIN: Duration = Duration::from_secs(30);
/// When a pod must have its copy.
const LIMIT: Duration = Duration::from_secs(5);
/// After this time nothing that was begun in a round is left: a mark is followed by a deletion or taken off.
const QUIET: Duration = Duration::from_secs(15);
/// How often a call is made that is not answered.
const ATTEMPTS: usize = 5;
/// Fewer of one outcome, of a thousand races, show no race.
const OFTEN: usize = 50;

/// What has become of the copy.
#[derive(PartialEq)]
enum Fate {
    Stayed,
    MadeAnew,
}

/// How a race has ended.
struct Outcome {
    namespace: String,
    /// From the deletion of the last pod to the creation of the new one.
    after: Duration,
    /// Whether the pod was given the name of the copy.
    is_named: bool,
    /// The uid of the copy that was there as soon as the pod was.
    at_once: Option<String>,
    /// The uid of the one that was there when it had to be.
    in_time: Option<String>,
    /// Whether that held what it should.
    is_whole: bool,
    fate: Fate,
}

impl Outcome {
    /// Whether the copy went under the pod, to be made anew.
    fn is_replaced(&self) -> bool {
        self.at_once.is_some() && self.at_once != self.in_time
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_comes_while_its_copy_is_being_removed_has_its_copy_in_the_end() {
    let start = async {
        let options = Options { request_timeout: Some(REQUEST_TIMEOUT), ..Options::default() };
        // It is used by nobody else, and ends with this process.
        let installation: &'static Installation =
            Box::leak(Box::new(Installation::start_on(options, &ARGUMENTS).await));
        installation
    };
    let stage = Stage::set_on("removal", start).await;
    let (leader, other) = leader_and_other(&stage).await;
    stage.ask_only(&other);
    let names: Vec<String> = (0..NAMESPACES).map(|number| format!("removal-{number}")).collect();
    let begin = async |namespace: &String| {
        stage.create_namespace(namespace).await.unwrap();
        assert_eq!(stage.create_pod(namespace, "pod-0").await.unwrap(), [stage.copy()]);
    };
    stream::iter(&names).for_each_concurrent(32, begin).await;
    let (position, fail_open) = (stage.control_plane().audit().position().await, stage.fail_open().await);

    let marks = Marks::follow(&stage).await;
    let mut outcomes = Vec::new();
    for (round, lateness) in ROUNDS.into_iter().enumerate() {
        other.proxy().delay_watches(WatchDelay::UpTo(lateness));
        let race = async |(number, namespace): (usize, &String)| {
            sleep(BETWEEN_RACES * u32::try_from(number).unwrap()).await;
            race(&stage, &marks, namespace, round, when(number)).await
        };
        let ended = join_all(names.iter().enumerate().map(race)).await;
        tell(&stage, &format!("watches up to {lateness:?} late"), &ended);
        if lateness <= COVERED {
            let is_lost = |one: &&Outcome| one.is_named && (one.at_once.is_none() || one.is_replaced());
            let lost: Vec<String> = ended.iter().filter(is_lost).map(told).collect();
            assert!(lost.is_empty(), "pods under which their copy went: {lost:?}");
        }
        outcomes.extend(ended);
    }
    sleep(QUIET).await;

    let marked = reconciled(&leader, "marked").await;
    let deleted = reconciled(&leader, "deleted").await;
    let unmarked = reconciled(&leader, "unmarked").await;
    let copy = stage.copy();
    let by_other = |verb: &'static str| {
        let (other, copy) = (&other, &copy);
        move |call: &Event| other.made(call) && call.verb == verb && call.name == *copy && call.code < 300
    };
    let audit = stage.control_plane().audit();
    stage.figure(&format!(
        "{marked} marked, {deleted} deleted and {unmarked} unmarked by the leader, {} unmarked and {} created by the \
         other in calls",
        audit.since(position, by_other("patch")).await.len(),
        audit.since(position, by_other("create")).await.len(),
    ));
    // A machine that is too busy for an answer in time lets pods past the webhook; their copy is made all the same.
    let past = stage.fail_open().await - fail_open;
    let unnamed: Vec<String> = outcomes.iter().filter(|one| !one.is_named).map(told).collect();
    stage.figure(&format!("{} pods without the name, {past} reviews that nobody answered", unnamed.len()));
    assert!(f64::from(u32::try_from(unnamed.len()).unwrap()) <= past, "{unnamed:?}");
    let late: Vec<String> = outcomes.iter().filter(|one| !one.is_whole).map(told).collect();
    assert!(late.is_empty(), "pods without their copy after {LIMIT:?}: {late:?}");
    let same = outcomes.iter().filter(|one| one.fate == Fate::Stayed).count();
    assert!(same >= OFTEN && outcomes.len() - same >= OFTEN, "{same} of {} copies stayed", outcomes.len());

    let copies = stage.copies().await;
    let here = |copy: &&Secret| copy.metadata.namespace.as_ref().is_some_and(|name| names.contains(name));
    assert_eq!(copies.iter().filter(here).count(), NAMESPACES, "and none goes afterwards");
}

/// When the next pod comes.
#[derive(Clone, Copy)]
enum When {
    AfterTheLast(Duration),
    AfterTheMark(Duration),
}

/// A quarter about when the copy is marked, an eighth while it is, the rest about when it is deleted.
fn when(number: usize) -> When {
    // Multiples of the golden ratio are spread evenly, however many there are.
    #[allow(clippy::cast_precision_loss)]
    let spread = (number as f64 * 0.618_034).fract();
    match number % 8 {
        0 | 1 => When::AfterTheLast(Duration::from_millis(500).mul_f64(spread)),
        2 => When::AfterTheMark(SETTLE.mul_f64(spread)),
        _ => When::AfterTheMark(SETTLE.mul_f64(0.95) + Duration::from_secs(4).mul_f64(spread)),
    }
}

/// When the copies were last seen to be marked, by the namespace of those that are.
struct Marks {
    seen: Arc<Mutex<HashMap<String, Instant>>>,
    _watch: JoinSet<()>,
}

impl Marks {
    async fn follow(stage: &Stage) -> Self {
        let client = stage.control_plane().client(User::Admin).await;
        let named = format!("metadata.name={}", stage.copy());
        let secrets: Api<Secret> = Api::all(client);
        let list = secrets.list_metadata(&ListParams::default().fields(&named)).await.unwrap();
        let version = list.metadata.resource_version.unwrap();
        let seen: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
        let (put, mut watch) = (Arc::clone(&seen), JoinSet::new());
        watch.spawn(async move {
            let events =
                secrets.watch_metadata(&WatchParams::default().fields(&named), &version).await.unwrap();
            let mut events = pin!(events);
            while let Some(event) = events.try_next().await.unwrap() {
                let mut seen = put.lock().unwrap();
                match event {
                    WatchEvent::Modified(copy) if is_marked(&copy.metadata) => {
                        seen.entry(copy.metadata.namespace.unwrap()).or_insert_with(Instant::now);
                    }
                    WatchEvent::Added(copy) | WatchEvent::Modified(copy) | WatchEvent::Deleted(copy) => {
                        seen.remove(&copy.metadata.namespace.unwrap());
                    }
                    other => assert!(matches!(other, WatchEvent::Bookmark(_)), "{other:?}"),
                }
            }
        });
        Self { seen, _watch: watch }
    }

    /// Waits until the copy of a namespace is marked.
    async fn marked(&self, namespace: &str) -> Instant {
        let begun = Instant::now();
        loop {
            if let Some(marked) = self.seen.lock().unwrap().get(namespace) {
                return *marked;
            }
            assert!(begun.elapsed() < MARKED_WITHIN, "the copy in {namespace} is not marked");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn race(stage: &Stage, marks: &Marks, namespace: &str, round: usize, when: When) -> Outcome {
    let (pods, secrets) = (stage.api::<Pod>(namespace), stage.api::<Secret>(namespace));
    let copy = stage.copy();
    let found = async || insist(async || secrets.get_opt(&copy).await).await.unwrap();
    let uid = async || found().await.and_then(|copy| copy.metadata.uid);
    let before = uid().await;
    let (last, next) = (format!("pod-{round}"), format!("pod-{}", round + 1));
    let at_once = DeleteParams::default().grace_period(0);
    match insist(async || pods.delete(&last, &at_once).await).await {
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        deleted => drop(deleted.unwrap()),
    }
    let gone = Instant::now();
    match when {
        When::AfterTheLast(pause) => sleep(pause).await,
        When::AfterTheMark(pause) => sleep_until((marks.marked(namespace).await + pause).into()).await,
    }
    let names = match insist(async || stage.create_pod(namespace, &next).await).await {
        Err(kube::Error::Api(status)) if status.code == 409 => pull_secrets(&pods.get(&next).await.unwrap()),
        created => created.unwrap(),
    };
    let after = gone.elapsed();
    let at_once = uid().await;
    sleep(LIMIT).await;
    let now = found().await;
    let is_whole = now.as_ref().is_some_and(|copy| stage.is_whole(copy));
    let in_time = now.and_then(|copy| copy.metadata.uid);
    let is_same = before.is_some() && in_time == before;
    let fate = if is_same { Fate::Stayed } else { Fate::MadeAnew };
    Outcome {
        namespace: namespace.to_owned(),
        after,
        is_named: names == [copy],
        at_once,
        in_time,
        is_whole,
        fate,
    }
}

/// Calls once more when the API server was too busy to answer in the few seconds that it is given here. Whether it has done
/// what it was asked for is not known then: so it is in every cluster.
async fn insist<T>(call: impl AsyncFn() -> Result<T, kube::Error>) -> Result<T, kube::Error> {
    for _ in 1..ATTEMPTS {
        match call().await {
            Err(kube::Error::Api(status)) if status.code < 500 && status.code != 429 => {
                return Err(kube::Error::Api(status));
            }
            Err(_) => sleep(Duration::from_millis(200)).await,
            done => return done,
        }
    }
    call().await
}

fn tell(stage: &Stage, title: &str, outcomes: &[Outcome]) {
    let same = outcomes.iter().filter(|one| one.fate == Fate::Stayed).count();
    let first = outcomes.iter().filter(|one| one.at_once.is_none()).count();
    let gone = outcomes.iter().filter(|one| one.is_replaced()).count();
    let late = outcomes.iter().filter(|one| !one.is_whole).count();
    stage.figure(&format!(
        "{} races, {title}: {same} copies stayed, {} were deleted and made anew; pods without: {first} \
         at first, {late} after {LIMIT:?}; {gone} whose copy went under them",
        outcomes.len(),
        outcomes.len() - same
    ));
}

fn told(outcome: &Outcome) -> String {
    format!("{} ({:.1?} after the last pod)", outcome.namespace, outcome.after)
}

async fn leader_and_other(stage: &Stage) -> (Arc<Replica>, Arc<Replica>) {
    let mut replicas = stage.installation().replicas();
    assert_eq!(replicas.len(), 2);
    let other = replicas.pop().unwrap();
    let leader = replicas.pop().unwrap();
    let leads = leader.metrics().await.sum("regcred_leader", &[]) > 0.5;
    if leads { (leader, other) } else { (other, leader) }
}

/// How often the leader has done this to a copy by itself.
async fn reconciled(leader: &Replica, outcome: &str) -> f64 {
    leader.metrics().await.sum("regcred_reconcile_total", &[("outcome", outcome)])
}
