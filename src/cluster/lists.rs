//! How the objects that are there come at the beginning of a watch: as events of the watch itself where the API server
//! does that, which costs both sides least memory, or as a list in pages.
//!
//! What comes as events is as old as what that API server has seen itself, like any event. Nothing is decided on a view
//! alone: what exists is only changed in the very version that was seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kube::runtime::watcher;

/// What is known of the API server. Clones share it, so that one refusal is enough.
#[derive(Debug, Clone, Default)]
pub(super) struct Lists {
    in_pages: Arc<AtomicBool>,
}

impl Lists {
    /// Whether lists come as events of the watch.
    pub(super) fn are_streamed(&self) -> bool {
        !self.in_pages.load(Ordering::Relaxed)
    }

    /// The same watch with its list coming in this way; the size of its pages is that which it was given.
    pub(super) fn begin(&self, config: watcher::Config) -> watcher::Config {
        if self.are_streamed() { config.streaming_lists() } else { config }
    }

    /// From now on in pages, for as long as this process lives: what an API server serves changes with its version.
    pub(super) fn come_in_pages(&self) {
        if !self.in_pages.swap(true, Ordering::Relaxed) {
            tracing::info!("the API server does not stream lists; they are read in pages");
        }
    }
}

/// Whether the API server has refused to begin a watch with the list: it does not know that way, or it is switched off.
pub(super) fn is_refusal(error: &watcher::Error) -> bool {
    /// A parameter that it does not understand, and one that it does not allow.
    const CODES: [u16; 2] = [400, 422];
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if CODES.contains(&status.code))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::switched_off(422, true)]
    #[case::unknown(400, true)]
    #[case::no_right(403, false)]
    #[case::overloaded(429, false)]
    #[case::ill(500, false)]
    fn only_a_request_that_is_not_accepted_is_a_refusal(#[case] code: u16, #[case] expected: bool) {
        let status = json!({"code": code, "message": "no"});
        let error = || kube::Error::Api(serde_json::from_value(status.clone()).unwrap());
        assert_eq!(is_refusal(&watcher::Error::WatchStartFailed(error())), expected);
        assert!(!is_refusal(&watcher::Error::InitialListFailed(error())));
    }

    #[test]
    fn one_refusal_is_enough_for_all_watches() {
        let lists = Lists::default();
        let other = lists.clone();
        assert_eq!(lists.begin(watcher::Config::default()), watcher::Config::default().streaming_lists());
        other.come_in_pages();
        assert_eq!(lists.begin(watcher::Config::default()), watcher::Config::default());
    }
}
