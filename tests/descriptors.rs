//! A server out of file descriptors. A test binary of its own, for the limit is that of the process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpStream;

mod harness;
#[path = "server/kit.rs"]
#[allow(dead_code, reason = "the server's other tests use the rest")]
mod kit;

use kit::{Authority, Mounted, Options, TestServer, connect, exchange, issue, plain, post, trusting};

/// Few enough to be used up at once, enough for the runtime, the watch and some connections.
const DESCRIPTORS: u64 = 96;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_out_of_descriptors_serves_again_when_some_are_free() {
    let authority = Authority::new("the tests' authority");
    let secret = Mounted::new(&issue(&authority));
    let server = TestServer::start(secret.path(), Options::default()).await;
    let mut open = connect(server.webhook, trusting(&authority, &[b"http/1.1"])).await.unwrap();
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS), maximum: hard }).unwrap();

    // Client and server are one process: a connection takes two, until none is left for either.
    let mut hoarded = Vec::new();
    while let Ok(stream) = TcpStream::connect(server.webhook).await {
        hoarded.push(stream);
    }
    assert!(hoarded.len() > 10);
    tokio::time::sleep(Duration::from_millis(300)).await;
    // What is open is served all the while.
    assert_eq!(exchange(&mut open, post("/length", 0).as_bytes()).await.unwrap().status, 200);

    drop(hoarded);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut new = connect(server.webhook, trusting(&authority, &[b"http/1.1"])).await.unwrap();
    assert_eq!(exchange(&mut new, post("/length", 0).as_bytes()).await.unwrap().status, 200);
    assert_eq!(plain(server.admin, "GET", "/livez").await.status, 200);
}
