//! An API server that answers as a test wants it to.

use std::future::Future;

use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// Code and body of an answer; `None` where the connection is lost instead.
pub(crate) type Answer = Option<(u16, Value)>;

/// A client of one that answers each request with this text.
pub(crate) fn client_of_texts<A>(answer: impl Fn(http::Request<Body>) -> A + Send + Sync + 'static) -> Client
where
    A: Future<Output = Option<(u16, String)>> + Send + 'static,
{
    let service = tower::service_fn(move |request| {
        let answer = answer(request);
        async move {
            let answer = answer.await.ok_or_else(|| std::io::Error::other("the connection is lost"))?;
            let (code, text) = answer;
            let response = http::Response::builder().status(code).body(Body::from(text.into_bytes()));
            response.map_err(std::io::Error::other)
        }
    });
    Client::new(service, "default")
}

/// A client of one that answers each request so.
pub(crate) fn client<A>(answer: impl Fn(http::Request<Body>) -> A + Send + Sync + 'static) -> Client
where
    A: Future<Output = Answer> + Send + 'static,
{
    client_of_texts(move |request| {
        let answer = answer(request);
        async move { answer.await.map(|(code, body)| (code, body.to_string())) }
    })
}

/// What it says where it does not do what it is asked to.
pub(crate) fn failure(code: u16, message: &str) -> (u16, Value) {
    let status =
        json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "message": message});
    (code, status)
}
