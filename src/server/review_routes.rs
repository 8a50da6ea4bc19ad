//! The webhook's routes: what every review must keep to before its handler sees it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use futures::FutureExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::accept::Gauge;
use super::body::{BodyError, BodyMemory, discard, read};
use super::deadline::Deadline;
use super::limits::Limits;
use crate::telemetry::metrics::ServerMetrics;

/// A refused request's body is read to its end if it has at most this size, an ordinary review's, so that
/// the connection lives on: under load a new TLS handshake for every refusal would make the load worse.
const DISCARDED_BODY: u64 = 64 * 1024;

/// And if it comes within this time: a refusal is answered in less than 10 ms.
const DISCARD_TIME: Duration = Duration::from_millis(5);

/// The path under which requests to unknown paths are counted: a client must not make up label values.
const OTHER_PATH: &str = "other";

/// Routes for reviews. Each takes a handler of the body and the deadline, that gives the answer.
#[derive(Clone)]
pub struct ReviewRoutes {
    router: Router,
    gate: Arc<Gate>,
}

/// What all routes share.
struct Gate {
    limits: Limits,
    places: Semaphore,
    memory: BodyMemory,
    metrics: ServerMetrics,
}

impl ReviewRoutes {
    /// No routes yet.
    pub fn new(limits: &Limits, metrics: ServerMetrics) -> Self {
        let gate = Gate {
            places: Semaphore::new(limits.requests),
            memory: BodyMemory::new(limits.body_memory),
            limits: limits.clone(),
            metrics,
        };
        Self { router: Router::new(), gate: Arc::new(gate) }
    }

    /// Adds a route. The handler gets the whole body, as it came (it may be empty or no JSON), and by when it
    /// must have answered.
    #[must_use]
    pub fn route<H, F>(self, path: &'static str, handler: H) -> Self
    where
        H: Fn(Bytes, Deadline) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let gate = Arc::clone(&self.gate);
        let service = any(move |request: Request| {
            let (gate, handler) = (Arc::clone(&gate), handler.clone());
            async move {
                let begun = std::time::Instant::now();
                let answer = gate.review(request, handler).await;
                gate.metrics.request(path, answer.status()).observe(begun.elapsed().as_secs_f64());
                answer
            }
        });
        Self { router: self.router.route(path, service), gate: self.gate }
    }

    /// The routes, and a sentence for every other path.
    pub fn into_router(self) -> Router {
        let gate = self.gate;
        self.router.fallback(move |request: Request| async move {
            let answer =
                gate.refuse(request, StatusCode::NOT_FOUND, "no webhook is served under this path\n").await;
            gate.metrics.request(OTHER_PATH, answer.status()).observe(0.0);
            answer
        })
    }
}

impl Gate {
    async fn review<H, F>(&self, request: Request, handler: H) -> Response
    where
        H: Fn(Bytes, Deadline) -> F,
        F: Future<Output = Response>,
    {
        let deadline = Deadline::of_query(request.uri().query(), &self.limits);
        if request.method() != Method::POST {
            let mut answer =
                self.refuse(request, StatusCode::METHOD_NOT_ALLOWED, "reviews are sent with POST\n").await;
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            return answer;
        }
        if !is_json(request.headers()) {
            let sentence = "reviews are sent with the Content-Type application/json\n";
            return self.refuse(request, StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence).await;
        }
        let Ok(_place) = self.places.try_acquire() else {
            self.metrics.shed("requests");
            return self.busy(request).await;
        };
        let _in_flight = Gauge::new(&self.metrics.requests_in_flight);

        let until = deadline.over().min(Instant::now() + self.limits.body);
        let (body, _room) = match read(request.into_body(), self.limits.body_bytes, until, &self.memory).await
        {
            Ok(body) => body,
            Err(error) => return self.refuse_body(error),
        };
        let answering = AssertUnwindSafe(handler(body, deadline)).catch_unwind();
        match timeout_at(deadline.over(), answering).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_panic)) => {
                self.metrics.handler_panics.inc();
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the review met a defect of regcred; its log says where\n",
                )
                    .into_response()
            }
            // Handlers keep the deadline themselves. This one did not, and nobody waits for it any more.
            Err(_) => {
                (StatusCode::GATEWAY_TIMEOUT, "the review took longer than its timeout\n").into_response()
            }
        }
    }

    async fn busy(&self, request: Request) -> Response {
        let sentence = "too many reviews are being answered; come again\n";
        with_retry(self.refuse(request, StatusCode::TOO_MANY_REQUESTS, sentence).await)
    }

    /// Refuses a request by its header alone.
    async fn refuse(&self, request: Request, status: StatusCode, sentence: &'static str) -> Response {
        let kept = discard(request.into_body(), DISCARDED_BODY, Instant::now() + DISCARD_TIME).await;
        let answer = (status, sentence).into_response();
        if kept { answer } else { closing(answer) }
    }

    /// Refuses a request whose body was not read to its end.
    fn refuse_body(&self, error: BodyError) -> Response {
        let (reason, status, sentence) = match error {
            BodyError::TooLarge => (
                "too_large",
                StatusCode::PAYLOAD_TOO_LARGE,
                "the review is larger than two objects of the largest size can make it\n",
            ),
            BodyError::TooSlow => {
                ("too_slow", StatusCode::REQUEST_TIMEOUT, "the review was not there within its time\n")
            }
            BodyError::Broken => ("broken", StatusCode::BAD_REQUEST, "the review broke off\n"),
            BodyError::NoMemory => {
                self.metrics.shed("body_memory");
                let sentence = "too many bytes of reviews are being read; come again\n";
                return with_retry(closing((StatusCode::TOO_MANY_REQUESTS, sentence).into_response()));
            }
        };
        self.metrics.body_refused(reason);
        closing((status, sentence).into_response())
    }
}

/// Says that the connection ends here, because bytes of this request may still be on their way.
fn closing(mut answer: Response) -> Response {
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// The API server tries again after an integer `Retry-After`, within the webhook's timeout; a second is the least.
fn with_retry(mut answer: Response) -> Response {
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

/// `application/json`, in any case, with or without parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return false;
    };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_json_whatever_its_case_and_parameters() {
        for (value, expected) in [
            ("application/json", true),
            ("Application/JSON", true),
            ("application/json; charset=utf-8", true),
            ("application/json;charset=utf-8", true),
            ("application/json-patch+json", false),
            ("text/json", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
            assert_eq!(is_json(&headers), expected, "{value}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
