//! Durations as Go writes them (`time.ParseDuration`, `Duration.String`).

use std::fmt;

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// A duration in nanoseconds, which may be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GoDuration(i64);

impl GoDuration {
    /// None at all.
    pub(super) const ZERO: Self = Self(0);

    /// So many hours.
    pub(super) const fn from_hours(hours: u16) -> Self {
        Self(hours as i64 * HOUR.cast_signed())
    }

    /// Reads a text such as `168h` or `-1.5h30m`; `None` for what Go does not read.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let is_negative = text.starts_with('-');
        if unsigned == "0" {
            return Some(Self::ZERO);
        }
        let mut rest = unsigned;
        let mut total: i128 = 0;
        while !rest.is_empty() {
            let (amount, after) = Amount::take(rest)?;
            let end = after.find(|character: char| character == '.' || character.is_ascii_digit());
            let (unit, after) = after.split_at(end.unwrap_or(after.len()));
            total = total.checked_add(amount.times(unit_of(unit)?)?)?;
            rest = after;
        }
        let total = if is_negative { -total } else { total };
        (!unsigned.is_empty()).then_some(())?;
        i64::try_from(total).ok().map(Self)
    }
}

/// A number before a unit.
struct Amount<'a> {
    whole: &'a str,
    fraction: &'a str,
}

impl<'a> Amount<'a> {
    /// The number that a text begins with, and what follows it.
    fn take(text: &'a str) -> Option<(Self, &'a str)> {
        let digits = |text: &'a str| {
            text.split_at(text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len()))
        };
        let (whole, rest) = digits(text);
        let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
        (!whole.is_empty() || !fraction.is_empty()).then_some((Self { whole, fraction }, rest))
    }

    /// So many of a unit, in nanoseconds; parts of one are cut off.
    fn times(&self, unit: u64) -> Option<i128> {
        let whole: u64 = if self.whole.is_empty() { 0 } else { self.whole.parse().ok()? };
        // No unit has more than 14 digits, so the digits behind do not count.
        let fraction = self.fraction.get(..18).unwrap_or(self.fraction);
        let parts: u64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
        let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
        Some(i128::from(whole) * i128::from(unit) + i128::from(parts) * i128::from(unit) / scale)
    }
}

fn unit_of(text: &str) -> Option<u64> {
    Some(match text {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => MICROSECOND,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        _ => return None,
    })
}

impl fmt::Display for GoDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.unsigned_abs();
        if self.0 < 0 {
            formatter.write_str("-")?;
        }
        let (hours, minutes, seconds) = (total / HOUR, total % HOUR / MINUTE, total % MINUTE);
        match total {
            0 => return formatter.write_str("0s"),
            1..MICROSECOND => return write!(formatter, "{total}ns"),
            MICROSECOND..MILLISECOND => return write!(formatter, "{}\u{b5}s", decimal(total, MICROSECOND)),
            MILLISECOND..SECOND => return write!(formatter, "{}ms", decimal(total, MILLISECOND)),
            HOUR.. => write!(formatter, "{hours}h{minutes}m")?,
            MINUTE.. => write!(formatter, "{minutes}m")?,
            SECOND.. => {}
        }
        write!(formatter, "{}s", decimal(seconds, SECOND))
    }
}

/// A quotient without zeroes at its end. The divisor is a power of ten.
fn decimal(dividend: u64, divisor: u64) -> String {
    let (whole, parts) = (dividend / divisor, dividend % divisor);
    if parts == 0 {
        return whole.to_string();
    }
    let digits = divisor.ilog10() as usize;
    format!("{whole}.{}", format!("{parts:0digits$}").trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0", "0s")]
    #[case("0s", "0s")]
    #[case("-0", "0s")]
    #[case("168h", "168h0m0s")]
    #[case("336h", "336h0m0s")]
    #[case("-1h", "-1h0m0s")]
    #[case("+90s", "1m30s")]
    #[case("1h15m30.918s", "1h15m30.918s")]
    #[case("1.5h", "1h30m0s")]
    #[case(".5m", "30s")]
    #[case("1.s", "1s")]
    #[case("1ns", "1ns")]
    #[case("1.1us", "1.1\u{b5}s")]
    #[case("1500\u{b5}s", "1.5ms")]
    #[case("2200ms", "2.2s")]
    #[case("2562047h47m16.854775807s", "2562047h47m16.854775807s")]
    fn a_duration_is_read_and_shown_as_go_does(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(GoDuration::parse(text).unwrap().to_string(), expected);
    }

    #[rstest]
    #[case("")]
    #[case("-")]
    #[case("1")]
    #[case("1d")]
    #[case("h")]
    #[case(".s")]
    #[case("1h ")]
    #[case("1 h")]
    #[case("--1h")]
    #[case("2562048h")]
    #[case("99999999999999999999h")]
    fn anything_else_is_no_duration(#[case] text: &str) {
        assert_eq!(GoDuration::parse(text), None);
    }
}
