//! Random choices from one seed.

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A source of choices.
pub(crate) struct Random {
    runner: TestRunner,
}

impl Random {
    /// From `REGCRED_SEED`, or from the clock; printed, so that a failure can be repeated.
    pub(crate) fn new(what: &str) -> Self {
        let seed = std::env::var("REGCRED_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let seed: u64 = seed.unwrap_or_else(now);
        println!("{what}: REGCRED_SEED={seed}");
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        Self { runner: TestRunner::new_with_rng(Config::default(), rng) }
    }

    /// For strategies.
    pub(crate) fn runner(&mut self) -> &mut TestRunner {
        &mut self.runner
    }

    /// A number below a bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        use proptest::prelude::Rng as _;
        usize::try_from(self.runner.rng().next_u64() % u64::try_from(bound).unwrap()).unwrap()
    }

    /// One of these.
    pub(crate) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// The text with one character changed, left out or added.
    pub(crate) fn misspell(&mut self, text: &str) -> String {
        let mut characters: Vec<char> = text.chars().collect();
        let alphabet: Vec<char> = "aZ0.:/-_*?[]%@#\\ +~ä\u{7f}\n".chars().collect();
        let drawn = alphabet[self.below(alphabet.len())];
        let at = self.below(characters.len() + 1);
        match self.below(3) {
            0 => characters.insert(at, drawn),
            1 if at < characters.len() => characters[at] = drawn,
            _ if at < characters.len() => drop(characters.remove(at)),
            _ => {}
        }
        characters.into_iter().collect()
    }
}
