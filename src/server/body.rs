//! Reads the body of a request within the limits of its size, its time and the memory of all bodies.

use std::sync::Arc;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Body memory is counted in these: a review takes at least one.
const UNIT: usize = 1024;

/// Why a body was not read. After each of them the rest of the body may still be coming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    TooLarge,
    TooSlow,
    /// The bodies held at the moment leave no room for it.
    NoMemory,
    /// The client broke off, or its framing is wrong.
    Broken,
}

/// The memory that all bodies may take together.
#[derive(Debug, Clone)]
pub(super) struct BodyMemory(Arc<Semaphore>);

impl BodyMemory {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / UNIT)))
    }

    /// Takes room for so many bytes; never waits, for what waits holds memory, too.
    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, BodyError> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).map_err(|_| BodyError::TooLarge)?;
        Arc::clone(&self.0).try_acquire_many_owned(units).map_err(|_| BodyError::NoMemory)
    }
}

/// The room that a body takes; free again when it is dropped.
pub(super) type Room = OwnedSemaphorePermit;

/// Reads a whole body of at most `limit` bytes. Its room is to be kept as long as its bytes.
pub(super) async fn read(
    mut body: Body,
    limit: usize,
    until: Instant,
    memory: &BodyMemory,
) -> Result<(Bytes, Room), BodyError> {
    let declared = body.size_hint();
    // Known before a byte is read, if the request has a Content-Length.
    if declared.lower() > limit as u64 {
        return Err(BodyError::TooLarge);
    }
    let expected = declared.exact().and_then(|exact| usize::try_from(exact).ok());
    let mut room = memory.take(expected.unwrap_or_default())?;
    let mut read = Chunks::new(expected.unwrap_or_default());
    let whole = async {
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else {
                continue; // Trailers say nothing that a review needs.
            };
            let length = read.length() + data.len();
            if length > limit {
                return Err(BodyError::TooLarge);
            }
            let held = room.num_permits() * UNIT;
            if length > held {
                room.merge(memory.take(length - held)?);
            }
            read.push(data);
        }
        Ok(())
    };
    timeout_at(until, whole).await.map_err(|_| BodyError::TooSlow)??;
    Ok((read.finish(), room))
}

/// Reads and forgets a body that is small and already on its way, so that the connection can be kept.
/// Whether that succeeded; if not, the connection must be closed.
pub(super) async fn discard(mut body: Body, limit: u64, until: Instant) -> bool {
    if body.is_end_stream() {
        return true;
    }
    if body.size_hint().upper().is_none_or(|upper| upper > limit) {
        return false;
    }
    let rest = async {
        while let Some(frame) = body.frame().await {
            if frame.is_err() {
                return false;
            }
        }
        true
    };
    timeout_at(until, rest).await.unwrap_or(false)
}

/// The pieces of a body: the usual single one is kept as it is, several are copied into one.
struct Chunks {
    expected: usize,
    first: Bytes,
    all: Option<BytesMut>,
}

impl Chunks {
    fn new(expected: usize) -> Self {
        Self { expected, first: Bytes::new(), all: None }
    }

    fn length(&self) -> usize {
        self.all.as_ref().map_or(self.first.len(), BytesMut::len)
    }

    fn push(&mut self, data: Bytes) {
        if self.all.is_none() && self.first.is_empty() {
            self.first = data;
            return;
        }
        let all = self.all.get_or_insert_with(|| {
            let mut all = BytesMut::with_capacity(self.expected.max(self.first.len() + data.len()));
            all.extend_from_slice(&self.first);
            self.first = Bytes::new();
            all
        });
        all.extend_from_slice(&data);
    }

    fn finish(self) -> Bytes {
        self.all.map_or(self.first, BytesMut::freeze)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    fn chunked(pieces: &'static [&'static [u8]]) -> Body {
        Body::from_stream(futures::stream::iter(pieces.iter().map(|piece| Ok::<_, Infallible>(*piece))))
    }

    #[tokio::test]
    async fn a_body_is_read_whole_up_to_its_limit() {
        let memory = BodyMemory::new(4 * UNIT);
        for (body, expected) in [
            (Body::empty(), &b""[..]),
            (Body::from("12345678"), b"12345678"),
            (chunked(&[b"1234", b"", b"56", b"78"]), b"12345678"),
        ] {
            assert_eq!(read(body, 8, soon(), &memory).await.unwrap().0, expected);
        }
        for body in [Body::from("123456789"), chunked(&[b"12345678", b"9"])] {
            assert_eq!(read(body, 8, soon(), &memory).await.unwrap_err(), BodyError::TooLarge);
        }
    }

    #[tokio::test]
    async fn bodies_take_room_while_they_are_held_and_give_it_back() {
        let memory = BodyMemory::new(2 * UNIT);
        let held = read(Body::from(vec![0; UNIT + 1]), 8 * UNIT, soon(), &memory).await.unwrap();
        let refused = read(Body::from("1"), 8 * UNIT, soon(), &memory).await.unwrap_err();
        assert_eq!(refused, BodyError::NoMemory);
        drop(held);
        assert!(read(chunked(&[&[0; UNIT], &[0; UNIT]]), 8 * UNIT, soon(), &memory).await.is_ok());
        let refused = read(chunked(&[&[0; UNIT], &[0; UNIT], &[0]]), 8 * UNIT, soon(), &memory).await;
        assert_eq!(refused.unwrap_err(), BodyError::NoMemory);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let body = Body::from_stream(futures::stream::pending::<Result<Bytes, Infallible>>());
        let error = read(body, 8, soon(), &BodyMemory::new(UNIT)).await.unwrap_err();
        assert_eq!(error, BodyError::TooSlow);
    }
}
