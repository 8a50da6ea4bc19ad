//! Creates the copies that admission calls could not: each replica those of its own calls. It only creates, so it
//! needs no leader.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::cluster::carrier::Carrier;
use crate::cluster::pending::Pending;
use crate::knowledge::{Index, Snapshot, Wants};
use crate::model::copy::Wanted;
use crate::telemetry::copy_metrics::CopyMetrics;

/// How often a copy is looked at whose source is not there: reading the snapshot costs nothing, and a source that
/// has come is carried within this time.
const SOURCE_PAUSE: Duration = Duration::from_secs(1);
/// How long the loop sleeps when nothing waits; an addition wakes it.
const IDLE: Duration = Duration::from_hours(1);
/// The shortest sleep: many additions in a row are looked at together.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);
/// How many copies the loop creates at once. A fraction of what the carrier allows, so that admission calls have room
/// that the loop cannot take; two thousand copies whose source comes late are there within seconds all the same.
const RETRIES_AT_ONCE: usize = 16;

/// Runs for ever.
pub async fn run(index: Arc<Index>, carrier: Carrier, pending: Pending, metrics: CopyMetrics) {
    let turns = Arc::new(Semaphore::new(RETRIES_AT_ONCE));
    loop {
        let now = Instant::now();
        // What there is no turn for goes on waiting: by then it may not be wanted any more. What only waits takes no turn.
        while turns.available_permits() > 0
            && let Some(wanted) = pending.take_due(now)
        {
            match what_next(&index.snapshot(), &wanted) {
                Next::Create(wanted) => {
                    // A failure comes back through the carrier, which adds it anew with a longer pause.
                    let (carrier, turn) = (carrier.clone(), Arc::clone(&turns).try_acquire_owned());
                    tokio::spawn(async move {
                        carrier.create(wanted).await;
                        drop(turn);
                    });
                }
                Next::Wait => pending.add(wanted, now + SOURCE_PAUSE),
                Next::Forget => index.forget_setback(&wanted.key()),
            }
        }
        metrics.pending(pending.len());
        let until_next = pending.next().map_or(IDLE, |next| next.saturating_duration_since(Instant::now()));
        tokio::select! {
            () = pending.changed() => {}
            () = tokio::time::sleep(until_next) => {}
        }
        tokio::time::sleep(SHORTEST_SLEEP).await;
        // Held by none but writes under way, each of which ends within its time.
        drop(turns.acquire().await);
    }
}

enum Next {
    /// Create it for the credential as it is now.
    Create(Wanted),
    /// Its source cannot be carried yet.
    Wait,
    /// It is there, or nobody wants it any more.
    Forget,
}

fn what_next(known: &Snapshot, wanted: &Wanted) -> Next {
    let Wanted { credential, place } = wanted;
    let Some(current) =
        known.credentials.get(&*credential.name).filter(|current| current.uid == credential.uid)
    else {
        return Next::Forget;
    };
    // A namespace of which too little is known may want it; if it is gone, the write will tell.
    let is_wanted =
        current.copy_name == place.name && known.wants(current, &place.namespace) != Wants::Nothing;
    let gives_way = known.rival(current, &place.namespace).is_some();
    if !is_wanted || gives_way || known.has_copy(place, current) {
        return Next::Forget;
    }
    if known.good_source(current).is_some() {
        Next::Create(Wanted { credential: Arc::clone(current), place: place.clone() })
    } else if known.namespaces.get(&place.namespace).is_some_and(|namespace| namespace.terminating) {
        Next::Forget
    } else {
        Next::Wait
    }
}

#[cfg(test)]
mod tests {
    use kube::core::ObjectMeta;
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::model::source::tests::registry_secret;

    /// What is next for the copy of `ghcr` in a namespace, where another credential gives its copies this name.
    #[rstest]
    #[case::to_be_created("other", true, "create")]
    #[case::its_source_is_missing("other", false, "wait")]
    #[case::another_has_the_place("pull", true, "forget")]
    fn a_copy_that_waits_is_created_when_it_can_be_and_forgotten_when_it_may_not_be(
        #[case] copy_name: &str,
        #[case] has_source: bool,
        #[case] expected: &str,
    ) {
        let index = Index::new("regcred-system");
        index.apply_namespace(&ObjectMeta { name: Some("team-a".into()), ..ObjectMeta::default() });
        for (name, copy_name) in [("another", copy_name), ("ghcr", "pull")] {
            let object = json!({
                "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential",
                "metadata": {"name": name, "uid": format!("uid-of-{name}")},
                "spec": {
                    "secretRef": {"namespace": "porch-system", "name": "auth-secret"},
                    "namespaces": ["*"], "copyName": copy_name,
                },
            });
            index.apply_credential(&serde_json::from_value(object).unwrap()).unwrap();
        }
        if has_source {
            index.apply_source(&registry_secret("{}"));
        }
        let known = index.snapshot();
        let next = match what_next(&known, &Wanted::new(&known.credentials["ghcr"], "team-a")) {
            Next::Create(_) => "create",
            Next::Wait => "wait",
            Next::Forget => "forget",
        };
        assert_eq!(next, expected);
    }
}
