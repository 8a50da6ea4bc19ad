//! That a watch event costs the same however many namespaces there are, also with many credentials: from what the watch does
//! with the object to the decision about every place that the event concerns.

use std::fmt::{Display, Formatter};
use std::io::Write;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::Resource;
use kube::core::ObjectMeta;
use serde_json::{Value, json};

use super::plan::{Plan, Planner};
use super::record::{Graces, Records};
use super::{ObjectKey, places};
use crate::cluster::changes::{Change, Changes, Subscription};
use crate::controller::queue::Queue;
use crate::knowledge::{Index, Pods};
use crate::model::copy::copy_of;
use crate::model::pod::{ObservedPod, Uid};
use crate::model::source::SourceState;
use crate::model::source::tests::registry_secret;

const FEW: usize = 100;
const MANY: usize = 10_000;
/// How many credentials there are: few, and many.
const CREDENTIALS: [usize; 2] = [2, 100];
/// How much more an event may cost with [`MANY`] than with [`FEW`]: trees are deeper, and caches are missed.
const MOST: f64 = 2.0;
/// Each round times both clusters one right after the other, so that what else the machine does meets both alike.
const ROUNDS: usize = 201;
/// Events that are timed together: enough for the clock, few enough to be rarely interrupted.
const EVENTS: usize = 8;
const GRACES: Graces = Graces {
    unneeded: Duration::from_mins(10),
    source_missing: Duration::from_mins(10),
    settle: Duration::from_mins(2),
};

/// What a watch tells.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Namespace,
    Copy,
    Pod,
}

impl Display for Kind {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Namespace => "a namespace",
            Self::Copy => "a copy",
            Self::Pod => "a pod that comes and goes",
        })
    }
}

/// A cluster with an `Eager` and an `OnDemand` credential, whose copies are all there, and a pod in each namespace that needs
/// the second. What other credentials there are every namespace is offered, and no pod needs.
struct Cluster {
    size: usize,
    index: Index,
    pods: Pods,
    changes: Changes,
    subscription: Subscription,
    queue: Queue,
    records: Records,
    /// The namespace of the next event.
    turn: usize,
    versions: usize,
    decisions: usize,
}

impl Cluster {
    fn with(size: usize, credentials: usize) -> Self {
        let index = Index::new("regcred-system");
        apply_credential(&index, "eager", &json!({"distribution": "Eager"}));
        apply_credential(&index, "ghcr", &json!({}));
        for number in 2..credentials {
            apply_credential(
                &index,
                &format!("other-{number}"),
                &json!({"images": [format!("{number}.example/*")]}),
            );
        }
        index.apply_source(&registry_secret(r#"{"auths":{"ghcr.io":{}}}"#));
        let changes = Changes::default();
        let subscription = changes.subscribe();
        subscription.take();
        let (pods, queue, records) = (Pods::default(), Queue::default(), Records::default());
        let mut cluster = Self {
            size,
            index,
            pods,
            changes,
            subscription,
            queue,
            records,
            turn: 0,
            versions: 0,
            decisions: 0,
        };
        for number in 0..size {
            let namespace = name_of(number);
            cluster.index.apply_namespace(&namespace_object(&namespace));
            for credential in ["eager", "ghcr"] {
                let copy = cluster.copy_object(credential, &namespace);
                cluster.index.apply_copy(&copy);
            }
            cluster.pods.apply(&pod_object(&namespace, "stays"));
        }
        cluster.pods.retain(&(0..size).map(|number| uid_of_pod(&name_of(number))).collect());
        cluster
    }

    fn copy_object(&mut self, credential: &str, namespace: &str) -> Secret {
        let known = self.index.snapshot();
        let credential = &known.credentials[credential];
        let SourceState::Good(source) = &known.sources[&credential.source].state else { panic!("no source") };
        let place = credential.copy_in(namespace);
        let mut copy = copy_of(source, credential, &place);
        self.versions += 1;
        copy.metadata.uid = Some(format!("uid-of-{place}"));
        copy.metadata.resource_version = Some(self.versions.to_string());
        copy
    }

    /// Namespaces in an order that no cache foresees; the step has no divisor in common with either size.
    fn next_namespace(&mut self) -> String {
        self.turn = (self.turn + 7_919) % self.size;
        name_of(self.turn)
    }

    /// How long so many events take.
    fn time(&mut self, kind: Kind) -> Duration {
        let namespaces: Vec<String> = (0..EVENTS).map(|_| self.next_namespace()).collect();
        match kind {
            Kind::Namespace => {
                let objects: Vec<_> = namespaces.iter().map(|name| namespace_object(name)).collect();
                self.timed(&objects, |cluster, object| {
                    cluster.index.apply_namespace(object);
                    cluster.decide(Change::Namespace(object.name.as_deref().unwrap().into()));
                })
            }
            Kind::Copy => {
                let objects: Vec<_> = namespaces.iter().map(|name| self.copy_object("ghcr", name)).collect();
                self.timed(&objects, |cluster, object| {
                    cluster.index.copies_seen(&object.metadata);
                    cluster.index.apply_copy(object);
                    let (namespace, name) = (&object.metadata.namespace, &object.metadata.name);
                    let place = ObjectKey::new(namespace.as_deref().unwrap(), name.as_deref().unwrap());
                    cluster.decide(Change::Copy(place));
                })
            }
            Kind::Pod => {
                let objects: Vec<_> = namespaces.iter().map(|name| pod_object(name, "comes")).collect();
                self.timed(&objects, |cluster, object| {
                    let namespace = object.meta().namespace.as_deref().unwrap();
                    cluster.pods.apply(object);
                    cluster.decide(Change::Pods(namespace.into()));
                    cluster.pods.delete(object);
                    cluster.decide(Change::Pods(namespace.into()));
                })
            }
        }
    }

    fn timed<T>(&mut self, objects: &[T], event: impl Fn(&mut Self, &T)) -> Duration {
        let begun = Instant::now();
        for object in objects {
            event(self, object);
        }
        begun.elapsed()
    }

    /// What the leader does with a change, until there is nothing left to do.
    fn decide(&mut self, change: Change) {
        self.changes.add(&change);
        drop(change);
        let now = Instant::now();
        for change in self.subscription.take() {
            for place in places::concerned(&self.index.snapshot(), &self.pods, &change) {
                self.queue.add(place, now);
            }
        }
        while let Some(place) = self.queue.take_due(now) {
            let known = self.index.snapshot();
            let planner = Planner { known: &known, pods: &self.pods, graces: GRACES, now };
            let uid = known.copies.get(&place).map(|copy| &copy.uid);
            let mut record = self.records.take(&place, uid);
            let plan = planner.plan(&place, &mut record);
            self.records.put(&place, uid, record);
            assert!(matches!(plan, Plan::Nothing), "{place}: {plan:?}");
            self.queue.done(&place);
            self.decisions += 1;
        }
    }
}

fn apply_credential(index: &Index, name: &str, more: &Value) {
    let mut spec =
        json!({"secretRef": {"namespace": "porch-system", "name": "auth-secret"}, "namespaces": ["team-*"]});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let object = json!({
        "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential",
        "metadata": {"name": name, "uid": format!("uid-of-{name}"), "generation": 1}, "spec": spec,
    });
    index.apply_credential(&serde_json::from_value(object).unwrap()).unwrap();
}

fn name_of(number: usize) -> String {
    format!("team-{number:05}")
}

fn namespace_object(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() }
}

fn pod_object(namespace: &str, name: &str) -> ObservedPod {
    serde_json::from_value(json!({
        "metadata": {"namespace": namespace, "name": name, "uid": format!("uid-of-{name}-in-{namespace}")},
        "spec": {"containers": [{"name": "c", "image": "ghcr.io/team/app:1"}]},
    }))
    .unwrap()
}

fn uid_of_pod(namespace: &str) -> Uid {
    Uid::new(&format!("uid-of-stays-in-{namespace}"))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2] / u32::try_from(EVENTS).unwrap()
}

#[test]
fn a_watch_event_costs_the_same_with_ten_thousand_namespaces_as_with_a_hundred() {
    let decisions = CREDENTIALS.map(|credentials| {
        let (mut few, mut many) = (Cluster::with(FEW, credentials), Cluster::with(MANY, credentials));
        for kind in [Kind::Namespace, Kind::Copy, Kind::Pod] {
            let times: Vec<_> = (0..ROUNDS).map(|_| (few.time(kind), many.time(kind))).collect();
            let (with_few, with_many) = times.into_iter().unzip();
            let (with_few, with_many) = (median(with_few), median(with_many));
            let ratio = with_many.as_secs_f64() / with_few.as_secs_f64();
            // Not `println!`, which the test runner keeps to itself.
            let _ = writeln!(
                std::io::stderr(),
                "{kind}, {credentials} credentials: {with_few:.1?} with {FEW} namespaces, {with_many:.1?} with {MANY}: \
                 {ratio:.2} times as much"
            );
            assert!(ratio <= MOST, "{kind} costs {ratio:.2} times as much with {credentials} credentials");
        }
        assert_eq!(few.decisions, many.decisions, "both were asked the same");
        many.decisions
    });
    assert_eq!(decisions[0], decisions[1], "where a credential is not needed nothing is looked at");
}
