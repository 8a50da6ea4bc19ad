//! Free loopback ports.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Below the range that Linux gives to outgoing connections (32768 and up), so that a server which is stopped
/// and started again finds its port free.
const FIRST: usize = 20_000;
const COUNT: usize = 12_000;

/// A port on 127.0.0.1 that nothing listens on. Someone else may still take it: whoever starts a server on
/// it tries again with another one when that happens.
pub fn free() -> SocketAddr {
    static NEXT: OnceLock<AtomicUsize> = OnceLock::new();
    // Test binaries that run at the same time start at different places.
    let next = NEXT.get_or_init(|| AtomicUsize::new(std::process::id() as usize * 64 % COUNT));
    for _ in 0..COUNT {
        let port = FIRST + next.fetch_add(1, Ordering::Relaxed) % COUNT;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port).expect("below 65536")));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port between {FIRST} and {} on 127.0.0.1", FIRST + COUNT);
}
