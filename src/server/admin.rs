//! Health, readiness, metrics and version, on a port of their own so that probes do not depend on TLS
//! and are answered when the webhook's connections are used up.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use prometheus::{Registry, TextEncoder};

use super::readiness::Readiness;

/// The routes of the admin port.
pub fn router(readiness: Readiness, registry: Registry) -> Router {
    Router::new()
        // Alive is who answers: a restart would not mend what readiness reports.
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(move || async move { readyz(&readiness) }))
        .route("/metrics", get(move || async move { metrics(&registry) }))
        .route("/version", get(|| async { version() }))
        .method_not_allowed_fallback(|| async {
            (StatusCode::METHOD_NOT_ALLOWED, "this path answers GET only\n")
        })
        .fallback(|| async {
            (StatusCode::NOT_FOUND, "nothing is here; there are /livez, /readyz, /metrics and /version\n")
        })
}

fn readyz(readiness: &Readiness) -> Response {
    let missing = readiness.missing();
    let mut text =
        if missing.is_empty() { "ok\n".to_owned() } else { format!("not ready: {}\n", missing.join(", ")) };
    for remark in readiness.remarks() {
        text.extend(["remark: ", &remark, "\n"]);
    }
    let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, text).into_response()
}

fn metrics(registry: &Registry) -> Response {
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written as text");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn version() -> Response {
    let mut version = serde_json::json!({ "version": env!("CARGO_PKG_VERSION") });
    // Set by whoever builds a release; a build from a working copy names no commit that might be wrong.
    if let (Some(commit), Some(fields)) = (option_env!("REGCRED_GIT_COMMIT"), version.as_object_mut()) {
        fields.insert("commit".to_owned(), commit.into());
    }
    ([(header::CONTENT_TYPE, "application/json")], format!("{version}\n")).into_response()
}
