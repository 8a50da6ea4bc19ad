//! The API server's audit log: who called what, how often, with which answer.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::access::Access;
use super::users::User;

/// One line per call is enough: metadata only. Non-resource paths, and other people's Events and leader leases, say nothing
/// about what is under test, and the API server's calls to itself are not calls of anybody's. Those of our own account
/// count for its rights alone; see [`Event::is_background`].
pub const POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ["system:apiserver"]
- level: None
  nonResourceURLs: ["/*"]
- level: Metadata
  users: ["system:serviceaccount:regcred-system:regcred"]
  resources:
  - {group: events.k8s.io, resources: [events]}
  - {group: coordination.k8s.io, resources: [leases]}
- level: None
  resources:
  - {group: "", resources: [events]}
  - {group: events.k8s.io, resources: [events]}
  - {group: coordination.k8s.io, resources: [leases]}
- level: Metadata
"#;

/// How long a call that has been answered may take to be in the log.
const FLUSH_LIMIT: Duration = Duration::from_secs(20);

/// One call. Members that the call has not are empty.
#[derive(Clone, Debug, Default)]
pub struct Event {
    pub user: String,
    /// Which of the user's credentials it was, where the API server can tell tokens apart.
    pub credential: String,
    pub verb: String,
    pub group: String,
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
    /// The HTTP status of the answer; for a watch, of its beginning.
    pub code: u64,
    pub uri: String,
    pub user_agent: String,
    /// What the API server and webhooks noted, as it is in the log.
    pub annotations: Value,
}

impl Event {
    /// Whether it was only asked for what would happen.
    pub fn is_dry_run(&self) -> bool {
        self.uri.contains("dryRun=All")
    }

    /// Whether it renews a lease or tells an Event: that goes on all the time, and no test asks how often.
    fn is_background(&self) -> bool {
        ["leases", "events"].contains(&&*self.resource)
    }

    fn from_line(line: &str) -> Option<Self> {
        let event: Value = serde_json::from_str(line).ok()?;
        let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let parsed = Self {
            user: text("/user/username"),
            credential: text("/user/extra/authentication.kubernetes.io~1credential-id/0"),
            verb: text("/verb"),
            group: text("/objectRef/apiGroup"),
            resource: text("/objectRef/resource"),
            subresource: text("/objectRef/subresource"),
            namespace: text("/objectRef/namespace"),
            name: text("/objectRef/name"),
            code: event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or_default(),
            uri: text("/requestURI"),
            user_agent: text("/userAgent"),
            annotations: event.get("annotations").cloned().unwrap_or_default(),
        };
        // A watch is in the log when it begins and again when it ends: the beginning is the call.
        let ending = parsed.verb == "watch" && text("/stage") != "ResponseStarted";
        (!ending && !parsed.is_background()).then_some(parsed)
    }
}

#[derive(Default)]
struct Seen {
    offset: u64,
    /// The beginning of a line whose end was not written yet.
    partial: Vec<u8>,
    events: Vec<Event>,
}

/// The log of one control plane.
pub struct Audit {
    path: PathBuf,
    access: Access,
    seen: Mutex<Seen>,
}

impl Audit {
    pub fn new(path: PathBuf, access: Access) -> Self {
        Self { path, access, seen: Mutex::default() }
    }

    /// Waits until every call answered so far is in the log, and returns how many there are. Calls after this
    /// are those of [`Audit::since`].
    pub async fn position(&self) -> usize {
        self.flush().await;
        self.read(<[Event]>::len)
    }

    /// How many calls answer to the filter, from the start on.
    pub async fn count(&self, filter: impl Fn(&Event) -> bool) -> usize {
        self.since(0, filter).await.len()
    }

    /// The calls from a position on that answer to the filter.
    pub async fn since(&self, position: usize, filter: impl Fn(&Event) -> bool) -> Vec<Event> {
        self.flush().await;
        self.read(|events| events.iter().skip(position).filter(|event| filter(event)).cloned().collect())
    }

    /// A call of our own that is in the log says that those before it are.
    async fn flush(&self) {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = format!("/api/v1/namespaces/audit-flush-{}-{number}", std::process::id());
        let client = self.access.client(User::Admin).await;
        let request = http::Request::get(&path).body(Vec::new()).expect("a request");
        // There is no such namespace: what counts is that it was asked for.
        let answer = client.request_text(request).await;
        assert!(matches!(answer, Err(kube::Error::Api(_))), "the API server answers {path} with {answer:?}");
        let deadline = Instant::now() + FLUSH_LIMIT;
        while !self.read(|events| events.iter().rev().any(|event| event.uri == path)) {
            assert!(Instant::now() < deadline, "the audit log {} does not show {path}", self.path.display());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Reads what the log has more than last time.
    fn read<T>(&self, look: impl FnOnce(&[Event]) -> T) -> T {
        let mut seen = self.seen.lock().expect("no reader panics");
        let mut file = File::open(&self.path).expect("the audit log");
        file.seek(SeekFrom::Start(seen.offset)).expect("a place in the log");
        let mut bytes = Vec::new();
        let length = file.read_to_end(&mut bytes).expect("the audit log");
        seen.offset += length as u64;
        let mut unread = std::mem::take(&mut seen.partial);
        unread.extend_from_slice(&bytes);
        let complete = unread.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        seen.partial = unread.split_off(complete);
        let lines = String::from_utf8_lossy(&unread);
        seen.events.extend(lines.lines().filter_map(Event::from_line));
        look(&seen.events)
    }
}
