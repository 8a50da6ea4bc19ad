//! A connection's stream with a time limit for each phase it can be in.
//!
//! hyper has one timer for a request's header, and it runs while a connection is idle, too. Idle must be long
//! and a header short, so both are measured here, where the first byte of a request is seen.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// No byte of a first request yet.
    Unused = 0,
    /// Between requests.
    Idle = 1,
    /// The first byte of a request is there, its header not yet.
    Header = 2,
    /// A request is being answered; its body and its answer have limits of their own.
    Busy = 3,
}

/// The phase, shared by the stream, which sees bytes, and the service, which sees requests.
#[derive(Debug, Clone, Default)]
pub(super) struct PhaseCell(Arc<AtomicU8>);

impl PhaseCell {
    pub(super) fn get(&self) -> Phase {
        match self.0.load(Ordering::Acquire) {
            0 => Phase::Unused,
            1 => Phase::Idle,
            2 => Phase::Header,
            _ => Phase::Busy,
        }
    }

    pub(super) fn set(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Release);
    }
}

/// The limits that the stream keeps.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamLimits {
    pub(super) idle: Duration,
    pub(super) header: Duration,
    pub(super) write_stall: Duration,
}

/// Which limit ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    Idle,
    Header,
    Write,
}

/// The stream. Its timers cost nothing while bytes flow: they are looked at only when it would wait.
pub(super) struct TimedStream<S> {
    stream: S,
    phase: PhaseCell,
    limits: StreamLimits,
    /// The phase last seen here, and since when.
    seen: Phase,
    since: Instant,
    read_timer: LazyTimer,
    /// Since when a write has made no progress.
    stalled: Option<Instant>,
    write_timer: LazyTimer,
    expired: Option<Expired>,
}

impl<S> TimedStream<S> {
    pub(super) fn new(stream: S, phase: PhaseCell, limits: StreamLimits) -> Self {
        Self {
            stream,
            seen: phase.get(),
            phase,
            limits,
            since: Instant::now(),
            read_timer: LazyTimer::default(),
            stalled: None,
            write_timer: LazyTimer::default(),
            expired: None,
        }
    }

    /// The stream itself, and the limit that ended it, if one did.
    pub(super) fn into_inner(self) -> (S, Option<Expired>) {
        (self.stream, self.expired)
    }

    /// Until when the present phase may last.
    fn read_deadline(&mut self) -> Option<Instant> {
        let phase = self.phase.get();
        if phase != self.seen {
            self.seen = phase;
            self.since = Instant::now();
        }
        match phase {
            Phase::Unused | Phase::Idle => Some(self.since + self.limits.idle),
            Phase::Header => Some(self.since + self.limits.header),
            Phase::Busy => None,
        }
    }

    fn poll_stalled<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let since = *self.stalled.get_or_insert_with(Instant::now);
        ready!(self.write_timer.poll_until(context, since + self.limits.write_stall));
        self.expired = Some(Expired::Write);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            if buffer.filled().len() > before && matches!(self.phase.get(), Phase::Unused | Phase::Idle) {
                self.phase.set(Phase::Header);
                self.seen = Phase::Header;
                self.since = Instant::now();
            }
            return read;
        }
        let Some(deadline) = self.read_deadline() else {
            return Poll::Pending;
        };
        ready!(self.read_timer.poll_until(context, deadline));
        if self.seen == Phase::Header {
            self.expired = Some(Expired::Header);
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        // An end of stream lets hyper close an idle connection in order, with TLS's goodbye.
        self.expired = Some(Expired::Idle);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.poll_stalled(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.poll_stalled(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.poll_stalled(context, shut)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.poll_stalled(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// A timer that is moved forward only when it rings too early or would ring too late.
#[derive(Default)]
struct LazyTimer(Option<Pin<Box<Sleep>>>);

impl LazyTimer {
    fn poll_until(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(context));
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const LIMITS: StreamLimits = StreamLimits {
        idle: Duration::from_mins(2),
        header: Duration::from_secs(10),
        write_stall: Duration::from_secs(10),
    };

    fn pair() -> (TimedStream<DuplexStream>, DuplexStream, PhaseCell) {
        let (ours, theirs) = duplex(64);
        let phase = PhaseCell::default();
        (TimedStream::new(ours, phase.clone(), LIMITS), theirs, phase)
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_stream_ends_after_its_time_and_a_started_header_after_a_shorter_one() {
        let (mut stream, mut client, phase) = pair();
        let begun = Instant::now();
        let mut buffer = [0; 8];
        client.write_all(b"P").await.unwrap();
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 1);
        assert_eq!(phase.get(), Phase::Header);
        phase.set(Phase::Busy);
        phase.set(Phase::Idle);
        // Idle for a long time, then a byte, then nothing.
        let waited = tokio::time::timeout(Duration::from_secs(100), stream.read(&mut buffer)).await;
        assert!(waited.is_err());
        client.write_all(b"P").await.unwrap();
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 1);
        let error = stream.read(&mut buffer).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), 110);
        assert_eq!(stream.into_inner().1, Some(Expired::Header));

        let (mut stream, _client, _) = pair();
        let begun = Instant::now();
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 0);
        assert_eq!(begun.elapsed().as_secs(), 120);
        assert_eq!(stream.into_inner().1, Some(Expired::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_being_answered_has_no_limit_here() {
        let (mut stream, _client, phase) = pair();
        phase.set(Phase::Busy);
        let waited = tokio::time::timeout(Duration::from_hours(1), stream.read(&mut [0; 8])).await;
        assert!(waited.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_given_up_and_a_slow_one_is_not() {
        let (mut stream, mut client, _) = pair();
        let reading = tokio::spawn(async move {
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_secs(9)).await;
                client.read_exact(&mut [0; 64]).await.unwrap();
            }
            client
        });
        stream.write_all(&[0; 64 * 5]).await.unwrap();
        let _client = reading.await.unwrap();
        let begun = Instant::now();
        let error = stream.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), 10);
        assert_eq!(stream.into_inner().1, Some(Expired::Write));
    }
}
