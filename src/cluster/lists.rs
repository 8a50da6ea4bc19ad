//! How the objects that are there come at the beginning of a watch: as events of the watch itself where the API server
//! does that, which costs both sides least memory, or as a list in pages.
//!
//! What comes as events is as old as what that API server has seen itself, like any event. Nothing is decided on a view
//! alone: what exists is only changed in the very version that was seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
    pub(super) fn come_in_pages(&self, reason: NotStreamed) {
        if !self.in_pages.swap(true, Ordering::Relaxed) {
            tracing::info!(reason = reason.sentence(), "lists are read in pages from now on");
        }
    }
}

/// Why lists do not come as events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotStreamed {
    /// The API server does not take such a request.
    Refused,
    /// It takes them, and the list does not come to its end: some servers in between pass such a watch on, but not the mark at
    /// the list's end.
    Endless,
}

impl NotStreamed {
    fn sentence(self) -> &'static str {
        match self {
            Self::Refused => "the API server refuses to stream lists",
            Self::Endless => {
                "streamed lists do not come to their end, as if something between here and the API server kept \
                              the mark at their end back"
            }
        }
    }
}

/// How many streams that end early, one after the other, before their lists do are taken for more than interruptions. An API
/// server that stops ends all of its streams, and a control plane that is upgraded has three of them, as a rule, which stop in
/// turn: the next one may be the one that the watch begins anew with.
const INTERRUPTIONS: u32 = 3;
/// How much earlier than asked for a stream may end, by our clock, that has had its whole time.
const WHOLE_TIME_MARGIN: Duration = Duration::from_secs(5);

/// The streams of one watch that have ended before their lists did, in a row.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    in_a_row: u32,
}

impl Unfinished {
    /// A list has come to its end.
    pub(super) fn finished(&mut self) {
        self.in_a_row = 0;
    }

    /// A stream has ended before its list did, after some of the time that it was asked for. Returns whether that says that
    /// lists are not streamed: what has had its whole time was not interrupted.
    pub(super) fn ended(&mut self, lasted: Duration, asked_for: Duration) -> bool {
        self.in_a_row = self.in_a_row.saturating_add(1);
        lasted + WHOLE_TIME_MARGIN >= asked_for || self.in_a_row > INTERRUPTIONS
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

    const ASKED_FOR: Duration = Duration::from_mins(1);

    /// What streams that end after so many seconds each come to; `None` is a list that comes to its end.
    fn after(streams: &[Option<u64>]) -> Vec<bool> {
        let mut unfinished = Unfinished::default();
        let mut told = Vec::new();
        for lasted in streams {
            match lasted {
                Some(seconds) => told.push(unfinished.ended(Duration::from_secs(*seconds), ASKED_FOR)),
                None => unfinished.finished(),
            }
        }
        told
    }

    #[test]
    fn api_servers_that_stop_in_turn_while_a_list_comes_do_not_end_the_streaming() {
        assert_eq!(after(&[Some(1), Some(0), Some(20)]), [false; 3]);
        assert_eq!(after(&[Some(1), Some(0), Some(20), Some(3)]), [false, false, false, true]);
    }

    #[test]
    fn a_list_that_comes_to_its_end_begins_the_count_anew() {
        let streams = [Some(1), Some(1), Some(1), None, Some(1), Some(1), Some(1)];
        assert_eq!(after(&streams), [false; 6]);
    }

    #[test]
    fn a_stream_that_has_had_its_whole_time_and_no_end_of_its_list_was_not_interrupted() {
        assert_eq!(after(&[Some(60)]), [true]);
        assert_eq!(after(&[Some(1), Some(61)]), [false, true]);
        assert_eq!(after(&[Some(54)]), [false]);
    }

    #[test]
    fn one_refusal_is_enough_for_all_watches() {
        let lists = Lists::default();
        let other = lists.clone();
        assert_eq!(lists.begin(watcher::Config::default()), watcher::Config::default().streaming_lists());
        other.come_in_pages(NotStreamed::Refused);
        assert_eq!(lists.begin(watcher::Config::default()), watcher::Config::default());
    }
}
