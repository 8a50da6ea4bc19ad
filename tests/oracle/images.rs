//! Image references.

use regcred::model::image::ImageReference;

use super::harness::oracle::{Answer, Oracle, Question};
use super::random::Random;

const CASES: usize = 30_000;

/// Parts of references: well-formed ones first, then such as come near.
type Parts = (&'static [&'static str], &'static [&'static str]);

const DOMAINS: Parts = (
    &[
        "",
        "ghcr.io/",
        "GHCR.io/",
        "docker.io/",
        "index.docker.io/",
        "localhost/",
        "localhost:5000/",
        "registry/",
        "Registry/",
        "registry:5000/",
        "10.0.0.5:5000/",
        "[::1]/",
        "[::1]:5000/",
        "under_score.io/",
        "xn--4ca.io/",
    ],
    &[
        "registry:/",
        "[fe80::1%25e]/",
        "-a.io/",
        "a-.io/",
        "a..io/",
        "a.io./",
        "https://ghcr.io/",
        "user@ghcr.io/",
        "a_b:1/",
    ],
);
const PATHS: Parts = (
    &["app", "org/app", "library/app", "a/b/c/d", "a_b", "a__b", "a.b", "a-b", "a---b", "0a"],
    &[
        "a___b",
        "a..b",
        "a-",
        "-a",
        "a_",
        ".a",
        "App",
        "a//b",
        "a/",
        "/a",
        "",
        "ä",
        "a._b",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ],
);
const TAGS: Parts =
    (&["", "", ":1", ":latest", ":_a", ":A.b-c_d"], &[":", ":.a", ":-a", ":a:b", ":a/b", ":ä", ":v1@x"]);
const DIGESTS: Parts = (
    &["", "", "", "@sha256:7cc4b5aefd1d0cadf8d97d4350462ba51c694ebca145b08d7d41b41acc8db5aa"],
    &[
        "@sha256:7CC4b5aefd1d0cadf8d97d4350462ba51c694ebca145b08d7d41b41acc8db5aa",
        "@sha256:7cc4b5aefd1d0cadf8d97d4350462ba51c694ebca145b08d7d41b41acc8db5a",
        "@sha512:7cc4b5aefd1d0cadf8d97d4350462ba51c694ebca145b08d7d41b41acc8db5aa",
        "@SHA256:7cc4b5aefd1d0cadf8d97d4350462ba51c694ebca145b08d7d41b41acc8db5aa",
        "@md5:7cc4b5aefd1d0cadf8d97d4350462ba51c694ebca145b08d7d41b41acc8db5aa",
        "@sha256+b64:7cc4b5aefd1d0cadf8d97d4350462ba51c694ebca145b08d7d41b41acc8db5aa",
        "@",
        "@x",
        "@sha256:",
    ],
);

/// A reference with mostly well-formed parts, one in three with a misspelling.
pub(crate) fn reference(random: &mut Random) -> String {
    let mut text = [DOMAINS, PATHS, TAGS, DIGESTS]
        .map(|(good, near)| if random.once_in(10) { random.pick(near) } else { random.pick(good) })
        .concat();
    if random.once_in(40) {
        text = format!("{}{text}", "a/".repeat(100 + random.below(60)));
    }
    if random.once_in(60) {
        text.push_str(&"x".repeat(100 + random.below(60)));
    }
    if random.once_in(3) { random.misspell(&text) } else { text }
}

#[test]
fn an_image_reference_is_read_as_the_kubelet_reads_it() {
    let mut random = Random::new("images");
    let references: Vec<String> = (0..CASES).map(|_| reference(&mut random)).collect();
    let answers =
        Oracle::start().ask_all(references.iter().cloned().map(Question::Image).collect::<Vec<_>>());
    let mut readable = 0;
    for (text, theirs) in references.iter().zip(answers) {
        let refused = !theirs.error.is_empty();
        let ours = ImageReference::parse(text).map_or_else(
            |_| Answer { error: theirs.error.clone(), ..Answer::default() },
            |reference| Answer {
                repository: reference.repository().into(),
                tag: reference.tag().unwrap_or_default().into(),
                digest: reference.digest().unwrap_or_default().into(),
                ..Answer::default()
            },
        );
        assert_eq!(ImageReference::parse(text).is_err(), refused, "{text:?}: {theirs:?}");
        assert_eq!(ours, theirs, "{text:?}");
        readable += usize::from(!refused);
    }
    println!("{CASES} image references, {readable} of them readable: all alike");
    assert!(readable > CASES / 10 && readable < CASES * 9 / 10, "the cases are one-sided");
}
