//! Joins two connections over a way that may be slow or silent.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, Instant, sleep_until};

use super::network::Mode;
use super::random;

/// A chunk is what one read gives, at most this.
const CHUNK: usize = 64 * 1024;
/// Chunks on their way per direction; more than that waits at the sender, as in a real network.
const IN_FLIGHT: usize = 64;

#[derive(Clone, Copy)]
enum Direction {
    ToServer,
    ToClient,
}

/// Relays until one side fails or both have ended; `early` is what the client has already sent.
pub async fn join(
    client: impl AsyncRead + AsyncWrite,
    mut server: TcpStream,
    early: Vec<u8>,
    mode: &watch::Sender<Mode>,
) -> io::Result<()> {
    server.write_all(&early).await?;
    let (client_reads, client_writes) = tokio::io::split(client);
    let (server_reads, server_writes) = server.into_split();
    tokio::try_join!(
        one_way(client_reads, server_writes, mode.subscribe(), Direction::ToServer),
        one_way(server_reads, client_writes, mode.subscribe(), Direction::ToClient),
    )?;
    Ok(())
}

async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut mode: watch::Receiver<Mode>,
    direction: Direction,
) -> io::Result<()> {
    let (sent, mut arriving) = mpsc::channel::<(Instant, Bytes)>(IN_FLIGHT);
    let read = async move {
        loop {
            let mut chunk = BytesMut::with_capacity(CHUNK);
            if from.read_buf(&mut chunk).await? == 0 {
                return Ok(());
            }
            if sent.send((Instant::now(), chunk.freeze())).await.is_err() {
                return Err(io::Error::from(io::ErrorKind::BrokenPipe));
            }
        }
    };
    let write = async move {
        while let Some((at, chunk)) = arriving.recv().await {
            pass(&mut mode, at, direction).await;
            to.write_all(&chunk).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(read, write)?;
    Ok(())
}

/// Returns when what was sent at this time arrives.
async fn pass(mode: &mut watch::Receiver<Mode>, sent_at: Instant, direction: Direction) {
    let share = random::share();
    loop {
        let delay = match (*mode.borrow_and_update(), direction) {
            (Mode::Open | Mode::Refused, _) => return,
            (Mode::BlackHole, _) => None,
            (Mode::Slow { to_server, .. }, Direction::ToServer) => Some(to_server),
            (Mode::Slow { to_client, .. }, Direction::ToClient) => Some(to_client),
            (Mode::Jitter { most }, _) => Some(most.mul_f64(share)),
        };
        let arrival = sent_at + delay.unwrap_or(Duration::ZERO);
        tokio::select! {
            () = sleep_until(arrival), if delay.is_some() => return,
            changed = mode.changed() => if changed.is_err() { return },
        }
    }
}
