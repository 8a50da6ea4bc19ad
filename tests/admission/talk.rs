//! Calls of the API server with everything that it says: status, object, warnings.

use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::Value;

/// Who a call is made as, where it is not the client's own user.
pub(super) struct Impersonated {
    pub(super) user: &'static str,
    pub(super) group: &'static str,
}

/// What the API server answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) body: Value,
    pub(super) warnings: Vec<String>,
}

impl Answer {
    /// The object; fails the test when the call did not succeed.
    #[track_caller]
    pub(super) fn object(self) -> Value {
        assert!((200..300).contains(&self.code), "{self:?}");
        self.body
    }

    /// The refusal's message; fails the test when the call succeeded.
    #[track_caller]
    pub(super) fn refusal(self) -> String {
        assert!(self.code >= 400, "{self:?}");
        self.body["message"].as_str().expect("a Status has a message").to_owned()
    }
}

/// Calls a path with a client.
pub(super) async fn call(
    client: &Client,
    method: Method,
    path: &str,
    body: Option<&Value>,
    impersonated: Option<&Impersonated>,
) -> Answer {
    let content_type =
        if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let mut request = Request::builder().method(method).uri(path).header("content-type", content_type);
    if let Some(Impersonated { user, group }) = impersonated {
        request = request.header("impersonate-user", *user).header("impersonate-group", *group);
    }
    let body = body.map(ToString::to_string).unwrap_or_default();
    let request = request.body(Body::from(body.into_bytes())).expect("a request");
    let response = client.send(request).await.expect("the API server answers");
    let (code, warnings) = (response.status().as_u16(), warnings(response.headers()));
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    remember(&warnings);
    Answer { code, body, warnings }
}

/// The texts of `Warning` headers: `299 - "text"`, with `\` before each quote and backslash.
fn warnings(headers: &HeaderMap) -> Vec<String> {
    let text = |header: &http::HeaderValue| {
        let header = String::from_utf8_lossy(header.as_bytes()).into_owned();
        let quoted = header.strip_prefix("299 - \"")?.strip_suffix('"')?;
        let mut text = String::new();
        let mut characters = quoted.chars();
        while let Some(character) = characters.next() {
            text.extend(if character == '\\' { characters.next() } else { Some(character) });
        }
        Some(text)
    };
    headers.get_all("warning").iter().filter_map(text).collect()
}

static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps what people were told, for the test that looks at all of it.
pub(super) fn remember(texts: &[String]) {
    SAID.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(texts);
}

/// All that people were told so far.
pub(super) fn said() -> Vec<String> {
    SAID.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
