//! One race.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::time::sleep;

use crate::WINDOW;
use crate::harness::gardener::shoot;
use crate::harness::random;
use crate::stage::{Key, LEAD, Stage};

/// How a Shoot comes to point to the Secret.
#[derive(Clone, Copy, Debug)]
enum Taker {
    Creates,
    Updates,
}

/// How the Secret goes.
#[derive(Clone, Copy, Debug)]
enum Deleter {
    Deletes,
    DeletesAll,
    CreatesAnew,
}

/// Who races.
pub(crate) struct Race {
    number: usize,
    taker: Taker,
    deleter: Deleter,
}

/// What became of the Shoot's write.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Stored in this version.
    Stored(u64),
    Refused(String),
}

/// What became of the deletion.
#[derive(Debug)]
pub(crate) enum Deleted {
    Done,
    Refused,
    Failed(String),
}

/// How a race ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) secret: Key,
    pub(crate) taken: Taken,
    pub(crate) deleted: Deleted,
}

impl Taken {
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Stored(_) => "stored",
            Self::Refused(_) => "refused",
        }
    }
}

impl Deleted {
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Done => "deleted",
            Self::Refused => "kept",
            Self::Failed(_) => "failed",
        }
    }
}

impl Outcome {
    /// What nobody would expect to be told.
    pub(crate) fn unexpected(&self) -> Option<&str> {
        let expected = [
            "does not exist",
            "is being deleted",
            "failed calling webhook",
            "not found",
            "regcred does not know",
        ];
        match (&self.taken, &self.deleted) {
            (Taken::Refused(text), _) if !expected.iter().any(|part| text.contains(part)) => Some(text),
            (_, Deleted::Failed(text)) if !expected.iter().any(|part| text.contains(part)) => Some(text),
            _ => None,
        }
    }
}

impl Race {
    pub(crate) fn new(number: usize) -> Self {
        let taker = if number.is_multiple_of(2) { Taker::Creates } else { Taker::Updates };
        let deleter = match number % 5 {
            0 => Deleter::DeletesAll,
            1 => Deleter::CreatesAnew,
            _ => Deleter::Deletes,
        };
        Self { number, taker, deleter }
    }

    /// Runs it, each side beginning at its own random moment.
    pub(crate) async fn run(self, stage: &Arc<Stage>) -> Outcome {
        let (name, namespace) = (format!("race-{}", self.number), stage.namespace(self.number));
        stage.create_secret(namespace, &name).await;
        if matches!(self.taker, Taker::Updates) {
            let stored = serde_json::from_value(shoot(namespace, &name, &[])).unwrap();
            // It may be just then that a server is killed.
            while stage.shoots(namespace).create(&PostParams::default(), &stored).await.is_err() {
                sleep(WINDOW).await;
            }
        }
        let (before, after) = (LEAD + WINDOW.mul_f64(random::share()), WINDOW.mul_f64(random::share()));
        let (taken, deleted) = tokio::join!(
            self.take(stage, namespace, &name, before),
            self.delete(stage, namespace, &name, after)
        );
        Outcome { secret: (namespace.to_owned(), name), taken, deleted }
    }

    async fn take(&self, stage: &Stage, namespace: &str, name: &str, after: Duration) -> Taken {
        sleep(after).await;
        let taking = shoot(namespace, name, &[name]);
        let shoots = stage.shoots(namespace);
        let written = match self.taker {
            Taker::Creates => {
                shoots.create(&PostParams::default(), &serde_json::from_value(taking).unwrap()).await
            }
            Taker::Updates => {
                let patch = Patch::Merge(json!({"spec": taking["spec"]}));
                shoots.patch(name, &PatchParams::default(), &patch).await
            }
        };
        match written {
            Ok(stored) => Taken::Stored(stored.metadata.resource_version.unwrap().parse().unwrap()),
            Err(error) => Taken::Refused(error.to_string()),
        }
    }

    async fn delete(&self, stage: &Stage, namespace: &str, name: &str, after: Duration) -> Deleted {
        sleep(after).await;
        let secrets = stage.secrets(namespace);
        let deleted = match self.deleter {
            Deleter::Deletes | Deleter::CreatesAnew => {
                secrets.delete(name, &DeleteParams::default()).await.map(drop)
            }
            Deleter::DeletesAll => {
                let named = ListParams::default().labels(&format!("race={name}"));
                secrets.delete_collection(&DeleteParams::default(), &named).await.map(drop)
            }
        };
        match deleted {
            Ok(()) => {
                if matches!(self.deleter, Deleter::CreatesAnew) {
                    stage.create_secret(namespace, name).await;
                }
                Deleted::Done
            }
            Err(kube::Error::Api(status)) if REFUSALS.iter().any(|text| status.message.contains(text)) => {
                Deleted::Refused
            }
            Err(error) => Deleted::Failed(error.to_string()),
        }
    }
}

/// By which a refusal is known: that of regcred, and that of the API server while a server is killed.
const REFUSALS: [&str; 4] =
    ["is still used by", "is being taken up by", "may be in use", "failed calling webhook"];

/// The Secret of a race.
pub(crate) fn secret(namespace: &str, name: &str) -> Secret {
    let object = json!({
        "metadata": {"namespace": namespace, "name": name, "labels": {"race": name}},
        "type": "Opaque", "immutable": true, "stringData": {"username": "john", "password": "swordfish"},
    });
    serde_json::from_value(object).unwrap()
}
