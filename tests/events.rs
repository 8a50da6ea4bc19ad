//! Events on a real API server: repetitions are one Event, a storm is limited, people find them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod harness;

use std::time::{Duration, Instant};

use harness::{ControlPlane, User};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams};
use kube::{Api, Client};
use prometheus::{Registry, TextEncoder};
use regcred::api::RegistryCredential;
use regcred::events::{Kind, Limits, Occurrence, Rate, Recorder, Regarding};
use regcred::telemetry::event_metrics::EventMetrics;

/// The API server answers within milliseconds; a busy machine takes longer.
const LIMIT: Duration = Duration::from_secs(20);
const BURST: u32 = 5;

struct Scene {
    control_plane: &'static ControlPlane,
    client: Client,
    namespace: String,
    registry: Registry,
    recorder: Recorder,
}

impl Scene {
    /// A namespace, and a recorder that gathers repetitions for a second only.
    async fn set(name: &str) -> Self {
        let control_plane = ControlPlane::shared().await;
        let client = control_plane.client(User::Admin).await;
        let namespace = control_plane.namespace(name).await;
        let registry = Registry::new();
        let limits = Limits {
            per_object: Rate { burst: BURST, every: Duration::from_hours(1) },
            gather: Duration::from_secs(1),
            gather_most: Duration::from_secs(1),
            ..Limits::default()
        };
        let metrics = EventMetrics::register(&registry).unwrap();
        let (recorder, publisher) = Recorder::new(client.clone(), "regcred-0", limits, metrics);
        tokio::spawn(publisher.run());
        Self { control_plane, client, namespace, registry, recorder }
    }

    /// An object to tell something about: a ConfigMap, of which there are no other Events.
    async fn object(&self, name: &str) -> Regarding {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let object = ConfigMap { metadata, ..ConfigMap::default() };
        let created = api.create(&PostParams::default(), &object).await.unwrap();
        Regarding::new::<ConfigMap>(Some(&self.namespace), name, created.metadata.uid.as_deref())
    }

    fn warn(&self, regarding: &Regarding, note: &str) {
        let (regarding, note) = (regarding.clone(), note.to_owned());
        let occurrence =
            Occurrence { regarding, kind: Kind::Warning, reason: "CopyRefused", action: "Copy", note };
        self.recorder.record(occurrence);
    }

    fn events(&self) -> Api<Event> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Waits until the Events of the namespace are as they should be.
    async fn until(&self, what: &str, holds: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let events = self.events().list(&ListParams::default()).await.unwrap().items;
            if holds(&events) {
                return events;
            }
            assert!(Instant::now() < deadline, "not {what}: {events:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How many have had this fate.
    fn counted(&self, fate: &str) -> u64 {
        let text = TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let sample = format!("regcred_events_total{{result=\"{fate}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&sample)).unwrap().parse().unwrap()
    }
}

fn count(event: &Event) -> i32 {
    event.series.as_ref().map_or(1, |series| series.count)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_again_is_one_event_with_a_count_that_people_see() {
    let scene = Scene::set("repeated").await;
    let object = scene.object("settings").await;
    for _ in 0..7 {
        scene.warn(&object, "a Secret of that name is not ours");
    }
    let counted = |events: &[Event]| events.len() == 1 && count(&events[0]) == 7;
    let event = scene.until("one Event with a count of 7", counted).await.remove(0);
    assert_eq!(event.type_.as_deref(), Some("Warning"));
    assert_eq!(event.note.as_deref(), Some("a Secret of that name is not ours"));
    assert_eq!(event.reporting_instance.as_deref(), Some("regcred-0"));
    assert_eq!((scene.counted("created"), scene.counted("repeated"), scene.counted("updated")), (1, 6, 1));

    let describe = ["describe", "configmap", "settings", "--namespace", &scene.namespace];
    let text = scene.control_plane.kubectl(&describe).await.succeeded();
    let line = text.lines().find(|line| line.contains("CopyRefused")).expect("kubectl shows it");
    assert!(line.contains("x7 over") && line.contains("regcred"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_is_limited_and_what_is_left_out_is_counted() {
    let scene = Scene::set("storm").await;
    let object = scene.object("settings").await;
    let begun = Instant::now();
    for number in 0..5_000 {
        scene.warn(&object, &format!("problem {number}"));
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(1), "recording waits for nobody, and took {took:?}");
    let left_out = || scene.counted("queue_full") + scene.counted("limited_object");
    let deadline = Instant::now() + LIMIT;
    while left_out() + scene.counted("created") < 5_000 {
        assert!(Instant::now() < deadline, "{} are left out", left_out());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let events = scene.until("as many as the limit", |events| events.len() == BURST as usize).await;
    assert!(events.iter().all(|event| count(event) == 1));
    assert_eq!(scene.counted("created"), u64::from(BURST));
    // Another object still has its share.
    let other = scene.object("other").await;
    scene.warn(&other, "a problem");
    scene.until("one more", |events| events.len() == BURST as usize + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_somebody_deleted_is_written_anew() {
    let scene = Scene::set("deleted").await;
    let object = scene.object("settings").await;
    scene.warn(&object, "a problem");
    let first = scene.until("there", |events| events.len() == 1).await.remove(0);
    let name = first.metadata.name.unwrap();
    scene.events().delete(&name, &DeleteParams::default()).await.unwrap();
    // The repetition finds out; what happens after that is told anew.
    scene.warn(&object, "a problem");
    let deadline = Instant::now() + LIMIT;
    while scene.counted("failed") == 0 {
        assert!(Instant::now() < deadline, "nobody noticed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    scene.warn(&object, "a problem");
    let second = scene.until("there again", |events| events.len() == 1).await.remove(0);
    assert_ne!(second.metadata.name.unwrap(), name);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_the_cluster_have_their_events_where_the_api_server_wants_them() {
    let scene = Scene::set("scopes").await;
    let namespace = Regarding::new::<Namespace>(Some(&scene.namespace), &scene.namespace, None);
    scene.warn(&namespace, &"long ".repeat(500));
    let told = scene.until("in the namespace it is about", |events| events.len() == 1).await.remove(0);
    assert!(told.note.unwrap().ends_with('…'), "cut to what an Event holds");

    let name = format!("{}-{}", scene.namespace, "x".repeat(200));
    scene.warn(&Regarding::new::<RegistryCredential>(None, &name, None), "the source is broken");
    let deadline = Instant::now() + LIMIT;
    while scene.counted("created") < 2 {
        assert!(Instant::now() < deadline && scene.counted("failed") == 0, "it is refused");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let of_default: Api<Event> = Api::namespaced(scene.client.clone(), "default");
    let events = of_default.list(&ListParams::default()).await.unwrap().items;
    let about = |event: &&Event| event.regarding.as_ref().is_some_and(|it| it.name.as_deref() == Some(&name));
    assert_eq!(events.iter().filter(about).count(), 1);
}
