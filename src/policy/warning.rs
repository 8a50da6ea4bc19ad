//! Warnings that the API server will deliver.

use super::shown::harmless;

/// The longest warning: what Kubernetes' documentation asks for, in characters.
const MAXIMUM_LENGTH: usize = 120;
/// The most that one answer says, in characters: the API server cuts all warnings of a request once they exceed
/// 4,096 together, and other webhooks speak too.
const MAXIMUM_TOTAL: usize = 1_000;

/// Warnings, in order and each once, fit to be sent: one line, no control characters, of bounded length.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Warnings {
    texts: Vec<String>,
    total: usize,
}

impl Warnings {
    /// Adds a warning, unless it has been said or nothing more fits.
    pub fn add(&mut self, text: impl AsRef<str>) {
        let text = fit(text.as_ref());
        let length = text.chars().count();
        if !self.texts.contains(&text) && self.total + length <= MAXIMUM_TOTAL {
            self.total += length;
            self.texts.push(text);
        }
    }

    /// Those of one webhook and then those of another, which has room of its own.
    #[must_use]
    pub fn followed_by(mut self, others: Self) -> Self {
        for text in others.texts {
            if !self.texts.contains(&text) {
                self.total += text.chars().count();
                self.texts.push(text);
            }
        }
        self
    }

    /// The texts.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }
}

/// A control character would make the API server drop the whole warning.
fn fit(text: &str) -> String {
    if text.chars().count() <= MAXIMUM_LENGTH {
        text.chars().map(harmless).collect()
    } else {
        text.chars().take(MAXIMUM_LENGTH - 1).map(harmless).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_is_said_can_be_delivered(texts in prop::collection::vec(".{0,300}", 0..30)) {
            let mut warnings = Warnings::default();
            for text in &texts {
                warnings.add(text);
            }
            prop_assert!(warnings.texts().iter().all(|text| text.chars().count() <= MAXIMUM_LENGTH));
            prop_assert!(warnings.texts().iter().all(|text| !text.contains(char::is_control)));
            prop_assert!(warnings.texts().iter().map(|text| text.chars().count()).sum::<usize>() <= MAXIMUM_TOTAL);
        }
    }

    #[test]
    fn the_same_thing_is_said_once() {
        let mut warnings = Warnings::default();
        warnings.add("a");
        warnings.add("a");
        assert_eq!(warnings.texts(), ["a"]);
    }
}
