//! What is counted of our own calls to the API server: a layer around the client, so that no call is forgotten.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use prometheus::{IntCounterVec, Opts, Registry};
use tower::{Layer, Service};

use super::api_request::ApiRequest;

/// Counts calls to the API server. Clones share the counts.
#[derive(Debug, Clone)]
pub struct ApiMetrics {
    requests: IntCounterVec,
}

impl ApiMetrics {
    /// Makes the metrics and registers them. Fails only when a registry already has them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let options = Opts::new(
            "regcred_api_requests_total",
            "Calls to the API server, by verb, resource and HTTP status; a watch counts when it begins. The code is \
             unreachable where no answer came, and abandoned where it came too late to be waited for.",
        );
        let requests = IntCounterVec::new(options, &["verb", "resource", "code"])?;
        registry.register(Box::new(requests.clone()))?;
        Ok(Self { requests })
    }
}

impl<S> Layer<S> for ApiMetrics {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, metrics: self.clone() }
    }
}

/// A client whose calls are counted.
#[derive(Debug, Clone)]
pub struct Counted<S> {
    inner: S,
    metrics: ApiMetrics,
}

impl<S, Sent, Received> Service<Request<Sent>> for Counted<S>
where
    S: Service<Request<Sent>, Response = Response<Received>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Sent>) -> Self::Future {
        let asked = ApiRequest::of(request.method(), request.uri());
        let mut call = Call {
            metrics: self.metrics.clone(),
            verb: asked.verb,
            resource: asked.resource.into_owned(),
            outcome: Outcome::Abandoned,
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            call.ended(answer.as_ref().ok().map(Response::status));
            answer
        })
    }
}

/// A call under way, which counts itself at its end, also when it is given up.
struct Call {
    metrics: ApiMetrics,
    verb: &'static str,
    resource: String,
    outcome: Outcome,
}

impl Call {
    fn ended(&mut self, status: Option<StatusCode>) {
        self.outcome = status.map_or(Outcome::Unreachable, Outcome::Status);
    }
}

enum Outcome {
    Status(StatusCode),
    Unreachable,
    Abandoned,
}

impl Drop for Call {
    fn drop(&mut self) {
        let code = match &self.outcome {
            Outcome::Status(status) => status.as_str(),
            Outcome::Unreachable => "unreachable",
            Outcome::Abandoned => "abandoned",
        };
        self.metrics.requests.with_label_values(&[self.verb, &self.resource, code]).inc();
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{pending, ready};

    use tower::{ServiceExt as _, service_fn};

    use super::*;

    fn metrics() -> ApiMetrics {
        ApiMetrics::register(&Registry::new()).unwrap()
    }

    fn count(metrics: &ApiMetrics, code: &str) -> u64 {
        metrics.requests.with_label_values(&["create", "secrets", code]).get()
    }

    fn create() -> Request<()> {
        Request::post("/api/v1/namespaces/team-a/secrets").body(()).unwrap()
    }

    #[tokio::test]
    async fn a_call_counts_by_its_status() {
        let metrics = metrics();
        let conflict = Response::builder().status(409).body(()).unwrap();
        let client = metrics.layer(service_fn(|_| ready(Ok::<_, Infallible>(conflict.clone()))));
        client.oneshot(create()).await.unwrap();
        assert_eq!(count(&metrics, "409"), 1);
    }

    #[tokio::test]
    async fn a_call_without_an_answer_counts_too() {
        let metrics = metrics();
        let client = metrics.layer(service_fn(|_| ready(Err::<Response<()>, _>("refused"))));
        client.oneshot(create()).await.unwrap_err();
        assert_eq!(count(&metrics, "unreachable"), 1);
    }

    #[tokio::test]
    async fn a_call_that_was_given_up_counts_once_and_as_that() {
        let metrics = metrics();
        let client = metrics.layer(service_fn(|_| pending::<Result<Response<()>, Infallible>>()));
        let call = tokio::time::timeout(std::time::Duration::from_millis(1), client.oneshot(create()));
        call.await.unwrap_err();
        assert_eq!((count(&metrics, "abandoned"), count(&metrics, "unreachable")), (1, 0));
    }
}
