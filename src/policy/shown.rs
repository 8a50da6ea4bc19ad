//! What others have written, as it may be shown to people: on one line, and not too long.

use std::fmt;

/// How many of several are named; of the others there is a count.
pub(super) const NAMED: usize = 5;
/// The longest name that is shown, in characters: what a Kubernetes label can have. Names within objects have no limit.
const LONGEST_NAME: usize = 63;
/// The longest reason or address that is shown, in characters: five of them must fit in a message that a terminal shows
/// without scrolling.
const LONGEST_REASON: usize = 200;

/// The first of them, and how many more there are.
pub(super) fn listed(mut names: impl ExactSizeIterator<Item = String>) -> String {
    let all = names.len();
    let first: Vec<String> = names.by_ref().take(NAMED).collect();
    counted(&first, all)
}

/// The same of several of which no more than these are at hand.
pub(super) fn counted(first: &[String], all: usize) -> String {
    match all.saturating_sub(first.len()) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// A name, as it may be shown.
pub(super) fn shown(name: &str) -> String {
    visible(name, LONGEST_NAME)
}

/// A reason, an address or labels, as they may be shown.
pub(super) fn shown_at_length(what: impl fmt::Display) -> String {
    visible(&what.to_string(), LONGEST_REASON)
}

/// On one line, and not longer than that many characters.
pub(super) fn visible(text: &str, longest: usize) -> String {
    let cut = text.chars().count() > longest;
    text.chars().take(longest).map(harmless).chain(cut.then_some('…')).collect()
}

/// A character, or a blank in place of one that would change how what is around it looks: a control character, or one that
/// turns the direction of writing (Unicode Standard Annex 9).
pub(super) fn harmless(character: char) -> char {
    let turns = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    if character.is_control() || turns { ' ' } else { character }
}
