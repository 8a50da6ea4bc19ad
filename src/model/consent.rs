//! What a namespace itself has to say about the credentials that are offered to it.
//!
//! Off by default. A label's value has room for one name only, so each credential has a label of its own and any number
//! of them fits: `refuse.regcred.dev/<name>: "true"` and `accept.regcred.dev/<name>: "true"`. The name of a label has at
//! most 63 characters; a credential with a longer one can be neither refused nor accepted.

use std::collections::BTreeMap;

use clap::ValueEnum;

/// The prefix of the labels that refuse a credential.
const REFUSE: &str = "refuse.regcred.dev";
/// The prefix of the labels that accept a credential.
const ACCEPT: &str = "accept.regcred.dev";
/// The value that makes such a label count.
const YES: &str = "true";

/// Whether namespaces are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Consent {
    /// No: what a credential says of its namespaces decides alone
    #[default]
    Off,
    /// A namespace labelled refuse.regcred.dev/<credential>: "true" does not get it
    Refusal,
    /// Only a namespace labelled accept.regcred.dev/<credential>: "true" gets it, and a refusal wins
    TwoSided,
}

/// Why a namespace does not consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dissent {
    /// Its label refuses the credential.
    Refused,
    /// No label of it accepts the credential.
    NotAccepted,
}

impl Consent {
    /// Why a namespace with these labels does not consent to a credential; `None` if it does.
    pub fn dissent(self, credential: &str, labels: &BTreeMap<String, String>) -> Option<Dissent> {
        let says =
            |prefix: &str| labels.get(&format!("{prefix}/{credential}")).is_some_and(|value| value == YES);
        match self {
            Self::Refusal | Self::TwoSided if says(REFUSE) => Some(Dissent::Refused),
            Self::TwoSided if !says(ACCEPT) => Some(Dissent::NotAccepted),
            Self::Off | Self::Refusal | Self::TwoSided => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::unlabelled(&[], None, Some(Dissent::NotAccepted))]
    #[case::refused(&[("refuse.regcred.dev/ghcr", "true")], Some(Dissent::Refused), Some(Dissent::Refused))]
    #[case::accepted(&[("accept.regcred.dev/ghcr", "true")], None, None)]
    #[case::both(
        &[("accept.regcred.dev/ghcr", "true"), ("refuse.regcred.dev/ghcr", "true")],
        Some(Dissent::Refused),
        Some(Dissent::Refused)
    )]
    #[case::another_refused(&[("refuse.regcred.dev/quay", "true")], None, Some(Dissent::NotAccepted))]
    #[case::another_accepted(&[("accept.regcred.dev/quay", "true")], None, Some(Dissent::NotAccepted))]
    #[case::another_value(&[("refuse.regcred.dev/ghcr", "false")], None, Some(Dissent::NotAccepted))]
    #[case::accepted_with_another_value(&[("accept.regcred.dev/ghcr", "")], None, Some(Dissent::NotAccepted))]
    #[case::without_prefix(&[("ghcr", "true")], None, Some(Dissent::NotAccepted))]
    fn labels_refuse_and_accept(
        #[case] labels: &[(&str, &str)],
        #[case] refusal: Option<Dissent>,
        #[case] two_sided: Option<Dissent>,
    ) {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        assert_eq!(Consent::Off.dissent("ghcr", &labels), None);
        assert_eq!(Consent::Refusal.dissent("ghcr", &labels), refusal);
        assert_eq!(Consent::TwoSided.dissent("ghcr", &labels), two_sided);
    }
}
