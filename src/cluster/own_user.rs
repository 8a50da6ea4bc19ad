//! Who we are to the API server, so that reviews of our own writes are known for what they are.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::PostParams;
use kube::{Api, Client};

use super::error::told;
use crate::knowledge::Index;
use crate::server::Readiness;

/// The longest that one answer is waited for.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long it takes until it is asked again.
const PAUSE: Duration = Duration::from_secs(2);

/// Asks until it is told, and then has nothing more to do; for ever in any case.
///
/// Its part is in the register before it is first polled.
pub fn run(
    client: Client,
    index: Arc<Index>,
    readiness: &Readiness,
) -> impl Future<Output = ()> + Send + 'static {
    let part = readiness.part("own-user");
    async move {
        loop {
            match ask(&client).await {
                Ok(name) => {
                    tracing::info!(
                        user = name,
                        "regcred is this user to the API server, whose changes of Secrets it lets pass"
                    );
                    index.know_own_user(&name);
                    part.ready();
                    return pending().await;
                }
                Err(error) => tracing::warn!(error, "could not ask the API server who regcred is to it"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn ask(client: &Client) -> Result<String, String> {
    let api: Api<SelfSubjectReview> = Api::all(client.clone());
    let (parameters, review) = (PostParams::default(), SelfSubjectReview::default());
    let answer = match tokio::time::timeout(TIMEOUT, api.create(&parameters, &review)).await {
        Ok(answer) => answer.map_err(|error| told(&error).to_owned())?,
        Err(_) => return Err("it did not answer in time".to_owned()),
    };
    let user = answer.status.and_then(|status| status.user_info).and_then(|user| user.username);
    user.filter(|name| !name.is_empty()).ok_or_else(|| "it named nobody".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;

    use super::*;
    use crate::cluster::tests::{client, failure};

    #[tokio::test(start_paused = true)]
    async fn it_is_asked_until_it_is_told_and_nobody_is_ready_before() {
        const NAME: &str = "system:serviceaccount:regcred-system:regcred";
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let client = client(move |request| {
            assert_eq!(request.uri().path(), "/apis/authentication.k8s.io/v1/selfsubjectreviews");
            let time = count.fetch_add(1, Ordering::SeqCst);
            async move {
                let mut answer =
                    json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
                match time {
                    0 => Some(failure(503, "not yet")),
                    1 => Some((201, answer)),
                    _ => {
                        answer["status"] = json!({"userInfo": {"username": NAME}});
                        Some((201, answer))
                    }
                }
            }
        });
        let (readiness, index) = (Readiness::new(), Arc::new(Index::new("regcred-system")));
        let running = tokio::spawn(run(client, Arc::clone(&index), &readiness));
        assert_eq!(readiness.missing(), ["own-user"]);
        readiness.complete().await;
        assert_eq!(index.snapshot().own_user.as_deref(), Some(NAME));
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        assert!(!running.is_finished());
    }
}
