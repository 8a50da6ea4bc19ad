//! Every limit of the server, each with its reason. Operators set none of them; tests shorten them.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What one server takes from its clients.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open connections to the webhook. An API server keeps 25 idle ones and opens more under load; 2,048
    /// leaves room for many API servers, while what a connection holds (`buffer`) stays within 128 MiB.
    pub connections: usize,
    /// Of these, the connections of one address. An API server works on some 600 requests at once by default,
    /// and this is above what is answered at once (`requests`): too many reviews are told so by an answer, not by
    /// a closed connection. One pod that opens many leaves room for two API servers.
    pub connections_of_one_source: usize,
    /// Open connections to the admin port: a few scrapers and the kubelet's probes.
    pub admin_connections: usize,
    /// From the accepted connection to the end of the TLS handshake. Longer than any webhook may take by
    /// default (10 s), so whoever is slower has no one left to answer to.
    pub handshake: Duration,
    /// From the first byte of a request to its complete header. The API server sends it in one piece.
    pub header: Duration,
    /// How long a connection may stay without a request. The API server drops its idle connections after
    /// 90 s; waiting longer makes it the one that closes, so that no review is sent into a closing connection.
    pub idle: Duration,
    /// Spread over `idle`, so that connections opened together do not end together.
    pub idle_jitter: Duration,
    /// Age at which a connection is ended, by `Connection: close` on an answer, never while idle.
    /// A minute and a half at most, with the jitter, so that a new replica gets its share within two minutes.
    pub connection_age: Duration,
    /// Spread over `connection_age`, so that connections are not all renewed at once.
    pub connection_age_jitter: Duration,
    /// How long a write may make no progress. Answers are small and fit the socket's buffer, so a stalled
    /// write means a client that does not read.
    pub write_stall: Duration,
    /// How long what a client still sends is read and thrown away after the last answer. Closing at once
    /// would reset the connection, and the client could lose the answer that tells it what was wrong.
    pub linger: Duration,
    /// How long a connection accepted just before the listener closed may wait for its first request.
    pub first_request: Duration,
    /// Bytes of a request's header. The API server's have about 500; credentials in headers fit too.
    pub header_bytes: usize,
    /// Read buffer of a connection: four TLS records, so that a large body is read in few steps.
    pub buffer: usize,
    /// Bytes of a body: two objects of 3 MiB (what etcd and the API server let through) and 1 MiB around them.
    pub body_bytes: usize,
    /// Time in which a body must be there when the request sets no shorter one.
    pub body: Duration,
    /// Bytes of all bodies held at once, which bounds memory whatever the number of requests: 64 MiB is
    /// thousands of ordinary reviews (a pod's has 5 to 60 KiB) or nine of the largest.
    pub body_memory: usize,
    /// Reviews being answered at once. Beyond it a client is told at once to come again.
    pub requests: usize,
    /// The time of a review that names none: Kubernetes' default `timeoutSeconds`.
    pub review_default: Duration,
    /// The longest time of a review: Kubernetes' largest `timeoutSeconds`.
    pub review_longest: Duration,
    /// Kept back from a review's time, for the way of the answer to the API server.
    pub review_margin: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            connections_of_one_source: 1024,
            admin_connections: 64,
            handshake: Duration::from_secs(10),
            header: Duration::from_secs(10),
            idle: Duration::from_mins(2),
            idle_jitter: Duration::from_secs(30),
            connection_age: Duration::from_mins(1),
            connection_age_jitter: Duration::from_secs(30),
            write_stall: Duration::from_secs(10),
            linger: Duration::from_secs(5),
            first_request: Duration::from_secs(1),
            header_bytes: 16 * KIB,
            buffer: 64 * KIB,
            body_bytes: 7 * MIB,
            body: Duration::from_secs(10),
            body_memory: 64 * MIB,
            requests: 512,
            review_default: Duration::from_secs(10),
            review_longest: Duration::from_secs(30),
            review_margin: Duration::from_millis(200),
        }
    }
}

/// `base` and a random part of `jitter`.
pub(super) fn jittered(base: Duration, jitter: Duration) -> Duration {
    // The standard library's hasher is keyed from the system's randomness: enough for spreading, and no crate more.
    let random = RandomState::new().build_hasher().finish();
    let part = u32::try_from(random % 1000).unwrap_or_default();
    base + jitter * part / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_closes_idle_connections_before_the_server_does() {
        assert!(Limits::default().idle > Duration::from_secs(90));
    }

    #[test]
    fn jitter_stays_within_its_bounds_and_differs() {
        let draws: Vec<_> =
            (0..64).map(|_| jittered(Duration::from_mins(1), Duration::from_secs(30))).collect();
        assert!(draws.iter().all(|d| (Duration::from_mins(1)..Duration::from_secs(90)).contains(d)));
        assert!(draws.iter().any(|d| d != &draws[0]));
    }
}
