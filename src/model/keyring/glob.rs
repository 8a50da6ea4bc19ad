//! The part of Go's `filepath.Match` that can occur between two dots of a host.
//!
//! A URL's host holds neither `?` nor a backslash, so what is left of a file glob is `*` and, where a bracketed
//! IPv6 address without a port is taken for one, the character class.

use std::ops::RangeInclusive;

/// A compiled pattern. Matching takes at most the product of both lengths in steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Glob {
    /// Nothing in it is special, as in nearly all keys.
    Literal(Vec<u8>),
    Tokens(Vec<Token>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    AnyText,
    Byte(u8),
    OneOf(Vec<RangeInclusive<u8>>),
}

impl Token {
    fn accepts(&self, byte: u8) -> bool {
        match self {
            Self::AnyText => false,
            Self::Byte(literal) => *literal == byte,
            Self::OneOf(ranges) => ranges.iter().any(|range| range.contains(&byte)),
        }
    }
}

impl Glob {
    /// `None` for a malformed pattern, which matches nothing.
    pub(super) fn new(mut pattern: &[u8]) -> Option<Self> {
        if !pattern.iter().any(|byte| b"*[".contains(byte)) {
            return Some(Self::Literal(pattern.to_vec()));
        }
        let mut tokens = Vec::with_capacity(pattern.len());
        while let Some((&first, rest)) = pattern.split_first() {
            let (token, rest) = match first {
                b'*' => (Token::AnyText, rest),
                b'[' => class(rest)?,
                literal => (Token::Byte(literal), rest),
            };
            tokens.push(token);
            pattern = rest;
        }
        Some(Self::Tokens(tokens))
    }

    /// Whether the pattern matches the whole text.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let tokens = match self {
            Self::Literal(literal) => return literal == text,
            Self::Tokens(tokens) => tokens,
        };
        let (mut token, mut at) = (0, 0);
        // Where to resume when the text after the latest `*` does not fit: one byte more goes to that `*`.
        let mut resume: Option<(usize, usize)> = None;
        loop {
            match (tokens.get(token), text.get(at)) {
                (None, None) => return true,
                (Some(Token::AnyText), _) => {
                    token += 1;
                    resume = Some((token, at));
                }
                (Some(expected), Some(&byte)) if expected.accepts(byte) => (token, at) = (token + 1, at + 1),
                _ => match resume {
                    Some((after_star, begin)) if begin < text.len() => {
                        (token, at) = (after_star, begin + 1);
                        resume = Some((after_star, begin + 1));
                    }
                    _ => return false,
                },
            }
        }
    }
}

/// The ranges up to the closing bracket, and what follows it. An address cannot begin with `^`, so there is
/// no negation.
fn class(mut pattern: &[u8]) -> Option<(Token, &[u8])> {
    let mut ranges = Vec::new();
    loop {
        if let Some(rest) = pattern.strip_prefix(b"]").filter(|_| !ranges.is_empty()) {
            return Some((Token::OneOf(ranges), rest));
        }
        let (low, rest) = member(pattern)?;
        let (high, rest) = match rest.strip_prefix(b"-") {
            Some(rest) => member(rest)?,
            None => (low, rest),
        };
        ranges.push(low..=high);
        pattern = rest;
    }
}

fn member(pattern: &[u8]) -> Option<(u8, &[u8])> {
    let (&byte, rest) = pattern.split_first()?;
    (byte != b'-' && byte != b']' && !rest.is_empty()).then_some((byte, rest))
}
