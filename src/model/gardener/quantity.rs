//! Quantities (`k8s.io/apimachinery/pkg/api/resource`).

/// A quantity. Two are equal that mean the same, however they are written.
#[derive(Debug, Clone)]
pub(super) struct Quantity {
    /// As it was written, for people; upstream would show `1024Mi` as `1Gi`.
    text: String,
    /// In billionths, the smallest that a quantity tells apart.
    billionths: i128,
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.billionths == other.billionths
    }
}

impl Eq for Quantity {}

impl Quantity {
    /// Reads a text such as `10Gi`. `None` for what is none, and for what is beyond 10^29, which no volume is.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let end = unsigned.find(|character: char| character != '.' && !character.is_ascii_digit());
        let (number, suffix) = unsigned.split_at(end.unwrap_or(unsigned.len()));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        // Without any digits it is nothing, as Go has it: `Gi` is no size, but a quantity.
        (!text.is_empty()).then_some(())?;
        let digits: i128 = format!("0{whole}{fraction}").parse().ok()?;
        let (factor, exponent) = suffix_of(suffix)?;
        let exponent = exponent.checked_add(9)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        let billionths = scaled(digits.checked_mul(factor)?, exponent)?;
        // What is counted in powers of two is cut off there.
        let largest = if factor == 1 { i128::MAX } else { i128::from(i64::MAX) * 1_000_000_000 };
        let billionths = billionths.min(largest);
        let billionths = if text.starts_with('-') { -billionths } else { billionths };
        Some(Self { text: text.to_owned(), billionths })
    }

    /// Whether it is more than nothing.
    pub(super) fn is_positive(&self) -> bool {
        self.billionths > 0
    }

    /// As it was written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// What a suffix multiplies by: a power of two, and an exponent of ten.
fn suffix_of(suffix: &str) -> Option<(i128, i32)> {
    Some(match suffix {
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "" => (1, 0),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        _ => (1, suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
    })
}

/// A number times a power of ten; what is left over is rounded up.
fn scaled(number: i128, exponent: i32) -> Option<i128> {
    let Ok(exponent) = u32::try_from(exponent) else {
        let divisor = 10_i128.checked_pow(exponent.unsigned_abs());
        return Some(match divisor {
            Some(divisor) => number / divisor + i128::from(number % divisor != 0),
            None => i128::from(number != 0),
        });
    };
    if number == 0 {
        return Some(0);
    }
    number.checked_mul(10_i128.checked_pow(exponent)?)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10Gi", "10737418240")]
    #[case("1024Mi", "1Gi")]
    #[case("1.5Gi", "1536Mi")]
    #[case("1500m", "1.5")]
    #[case("0.5", "500m")]
    #[case("5G", "5e9")]
    #[case("5G", "5000000000.")]
    #[case("+5E3", "5k")]
    #[case("1E", "1e18")]
    #[case("0", "-0Gi")]
    #[case("0", "0e99")]
    #[case("1n", "0.0000000001")]
    #[case(" 1Gi ", "1Gi")]
    #[case("9Ei", "8Ei")]
    fn two_quantities_that_mean_the_same_are_equal(#[case] first: &str, #[case] second: &str) {
        assert_eq!(Quantity::parse(first).unwrap(), Quantity::parse(second).unwrap());
    }

    #[rstest]
    #[case("10Gi", "10G")]
    #[case("1", "-1")]
    #[case("1m", "1M")]
    fn others_are_not(#[case] first: &str, #[case] second: &str) {
        assert_ne!(Quantity::parse(first).unwrap(), Quantity::parse(second).unwrap());
    }

    #[rstest]
    #[case("")]
    #[case("1gi")]
    #[case("1 Gi")]
    #[case("1.2.3")]
    #[case("--1")]
    #[case("1e")]
    #[case("0x1")]
    fn anything_else_is_no_quantity(#[case] text: &str) {
        assert!(Quantity::parse(text).is_none());
    }

    #[rstest]
    #[case("1n", true)]
    #[case("0", false)]
    #[case("-1Gi", false)]
    #[case("Gi", false)]
    #[case("-", false)]
    #[case(".", false)]
    fn only_what_is_more_than_nothing_is_positive(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(Quantity::parse(text).unwrap().is_positive(), expected);
    }
}
