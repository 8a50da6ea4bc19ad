//! Texts as Go quotes them (`strconv.Quote`, which `%q` is).

use std::fmt::Write as _;

/// A text in double quotes, on one line whatever it holds.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            _ => push_escaped(&mut quoted, character),
        }
    }
    quoted.push('"');
    quoted
}

/// Adds a character, escaped if Go would not print it.
pub(super) fn push_escaped(text: &mut String, character: char) {
    // Writing to a String cannot fail.
    let _ = match character {
        '\\' => text.write_str("\\\\"),
        '\u{7}' => text.write_str("\\a"),
        '\u{8}' => text.write_str("\\b"),
        '\u{b}' => text.write_str("\\v"),
        '\u{c}' => text.write_str("\\f"),
        '\n' => text.write_str("\\n"),
        '\r' => text.write_str("\\r"),
        '\t' => text.write_str("\\t"),
        _ if character.is_ascii_control() => write!(text, "\\x{:02x}", u32::from(character)),
        _ if is_printable(character) => text.write_char(character),
        _ if u32::from(character) <= 0xffff => write!(text, "\\u{:04x}", u32::from(character)),
        _ => write!(text, "\\U{:08x}", u32::from(character)),
    };
}

/// `unicode.IsPrint`, as Rust's own table of what can be printed tells it.
fn is_printable(character: char) -> bool {
    // Not at the beginning, where Rust escapes marks also, which Go prints.
    character.is_ascii() || !format!("a{character}").escape_debug().any(|escaped| escaped == '\\')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing("", r#""""#)]
    #[case::plain("docker.io", r#""docker.io""#)]
    #[case::quotes(r#"a"b'c\d"#, r#""a\"b'c\\d""#)]
    #[case::line_breaks("a\nb\r\tc", r#""a\nb\r\tc""#)]
    #[case::controls("\u{0}\u{7}\u{8}\u{b}\u{c}\u{1b}\u{7f}", r#""\x00\a\b\v\f\x1b\x7f""#)]
    #[case::letters("\u{e4}\u{4e16}", "\"\u{e4}\u{4e16}\"")]
    #[case::a_mark("e\u{301}", "\"e\u{301}\"")]
    #[case::not_printable("\u{85}\u{a0}\u{200b}\u{feff}", r#""\u0085\u00a0\u200b\ufeff""#)]
    #[case::beyond_the_basic_plane("\u{1f600}\u{e0001}", "\"\u{1f600}\\U000e0001\"")]
    fn a_text_is_quoted_as_go_does(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(quote(text), expected);
    }
}
