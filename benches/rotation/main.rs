//! How long a new source takes to a thousand namespaces, on a real API server, with the server as it is released.
//!
//! The last line is JSON: `namespaces`, `seconds`, `missed`, `writes`, `reads`. Of several rotations the slowest counts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, missing_docs)]

#[path = "../../tests/rotation/fleet.rs"]
#[allow(dead_code, reason = "the tests ask for more")]
mod fleet;
#[path = "../../tests/harness/mod.rs"]
mod harness;

use fleet::{Fleet, LIMIT, NAMESPACES};

/// Enough to see whether the figure is an accident; they add a minute at most.
const ROTATIONS: usize = 3;

#[tokio::main]
async fn main() {
    // `cargo test --all-targets` runs this program as well; then it only shows that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let fleet = Fleet::assemble().await;
    println!("{NAMESPACES} copies of a new credential: {:.2} s", fleet.spread_in.as_secs_f64());
    let mut rotations = Vec::new();
    for number in 0..ROTATIONS {
        let rotation = fleet.rotate(&format!("password-{number}"), NAMESPACES, async || ()).await;
        println!("a new source in all of them: {:.2} s", rotation.took.as_secs_f64());
        assert!(rotation.missed == 0 && rotation.replaced == 0, "{rotation:?}");
        assert_eq!((rotation.writes(), rotation.written_again().len()), (NAMESPACES, 0));
        assert!(rotation.refused.is_empty(), "{:?}", rotation.refused);
        assert!(rotation.reads.is_empty(), "{:?}", rotation.reads);
        assert!(rotation.took <= LIMIT, "{:?}", rotation.took);
        rotations.push(rotation);
    }
    let slowest = rotations.iter().max_by_key(|rotation| rotation.took).expect("rotations");
    println!(
        "{}",
        serde_json::json!({
            "namespaces": NAMESPACES,
            "seconds": slowest.took.as_secs_f64(),
            "missed": slowest.missed,
            "writes": slowest.writes(),
            "reads": slowest.reads.len(),
        })
    );
}
