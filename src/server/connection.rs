//! One connection: its requests, the end of its time, and a close that loses no answer.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderValue, Request, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::limits::{Limits, jittered};
use super::stream::{Expired, Phase, PhaseCell, StreamLimits, TimedStream};
use crate::telemetry::metrics::ServerMetrics;

/// What is thrown away at a time while lingering: a TLS record.
const LINGER_BUFFER: usize = 16 * 1024;

/// The two steps in which connections learn of the end.
#[derive(Debug, Clone, Default)]
pub(super) struct Ending {
    /// From now on every answer says `Connection: close`.
    pub(super) renew: CancellationToken,
    /// From now on idle connections are closed, too. Never before `renew`.
    pub(super) close: CancellationToken,
}

/// What every connection of a listener shares.
pub(super) struct Serving {
    pub(super) router: Router,
    pub(super) limits: Limits,
    pub(super) ending: Ending,
    pub(super) metrics: ServerMetrics,
}

/// Serves requests until either side ends the connection.
pub(super) async fn serve<S>(stream: S, serving: Arc<Serving>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Serving { router, limits, ending, metrics } = serving.as_ref();
    let phase = PhaseCell::default();
    let renew_at = Instant::now() + jittered(limits.connection_age, limits.connection_age_jitter);
    let service = service_fn(|request: Request<Incoming>| {
        phase.set(Phase::Busy);
        let answer = router.clone().call(request.map(Body::new));
        let (phase, renew) = (phase.clone(), ending.renew.clone());
        async move {
            let mut answer = answer.await?;
            if renew.is_cancelled() || Instant::now() >= renew_at {
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            phase.set(Phase::Idle);
            Ok::<_, Infallible>(answer)
        }
    });
    let stream = TimedStream::new(
        stream,
        phase.clone(),
        StreamLimits {
            idle: jittered(limits.idle, limits.idle_jitter),
            header: limits.header,
            write_stall: limits.write_stall,
        },
    );
    let mut connection = http1::Builder::new()
        // The stream keeps this time, apart from the time of being idle.
        .header_read_timeout(None)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.buffer)
        .serve_connection(TokioIo::new(stream), service);

    let ended = tokio::select! {
        biased;
        ended = &mut connection => ended,
        () = closing(ending, &phase, limits) => {
            if phase.get() == Phase::Idle {
                Pin::new(&mut connection).graceful_shutdown();
            }
            // Who is not idle gets an answer first, and that one says `Connection: close`.
            (&mut connection).await
        }
    };

    let (stream, expired) = connection.into_parts().io.into_inner().into_inner();
    if let Some(reason) = broken(ended.as_ref().err(), expired) {
        metrics.connection_broken(reason);
    }
    if ended.is_ok() || expired.is_none() {
        linger(stream, limits).await;
    }
}

/// Waits until idle connections are closed, and then for the first request of one that is just new.
async fn closing(ending: &Ending, phase: &PhaseCell, limits: &Limits) {
    ending.close.cancelled().await;
    // A request may be in the socket already, unnoticed; after one turn of the runtime it is not, and the
    // connection, which is polled first, has read it.
    tokio::task::yield_now().await;
    if phase.get() == Phase::Unused {
        tokio::time::sleep(limits.first_request).await;
        if phase.get() == Phase::Unused {
            phase.set(Phase::Idle);
        }
    }
}

/// Why a connection ended, if otherwise than by agreement.
fn broken(error: Option<&hyper::Error>, expired: Option<Expired>) -> Option<&'static str> {
    match (expired, error) {
        (Some(Expired::Idle), _) => Some("idle"),
        (Some(Expired::Header), _) => Some("header_timeout"),
        (Some(Expired::Write), _) => Some("write_stall"),
        (None, Some(error)) if error.is_parse() => Some("bad_request"),
        (None, Some(_)) => Some("connection"),
        (None, None) => None,
    }
}

/// Says goodbye and reads what still comes until the client has closed as well: closing with unread bytes
/// makes the kernel reset the connection, and a reset can overtake the answer.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, limits: &Limits) {
    let goodbye = async {
        if stream.shutdown().await.is_err() {
            return;
        }
        let mut discarded = vec![0; LINGER_BUFFER];
        while matches!(stream.read(&mut discarded).await, Ok(read) if read > 0) {}
    };
    // Whoever takes longer has had its time.
    let _ = timeout(limits.linger, goodbye).await;
}
