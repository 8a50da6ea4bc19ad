//! Tables of the kubelet's own tests (`keyring_test.go`, `secrets_test.go`), and cases seen on its code.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

/// Keys as written, the name looked up, and the keys that answer in the order in which they are tried.
type Row = (&'static [&'static str], &'static str, &'static [&'static str]);

/// `TestURLsMatch`.
const URLS_MATCH: &[Row] = &[
    (&["*.kubernetes.io"], "prefix.kubernetes.io", &["*.kubernetes.io"]),
    (&["prefix.*.io"], "prefix.kubernetes.io", &["prefix.*.io"]),
    (&["prefix.kubernetes.*"], "prefix.kubernetes.io", &["prefix.kubernetes.*"]),
    (&["*-good.kubernetes.io"], "prefix-good.kubernetes.io", &["*-good.kubernetes.io"]),
    (&["*.kubernetes.io/blah"], "prefix.kubernetes.io/blah", &["*.kubernetes.io/blah"]),
    (&["prefix.*.io/foo"], "prefix.kubernetes.io/foo/bar", &["prefix.*.io/foo"]),
    (&["*.kubernetes.io:1111/blah"], "prefix.kubernetes.io:1111/blah", &["*.kubernetes.io:1111/blah"]),
    (&["prefix.*.io:1111/foo"], "prefix.kubernetes.io:1111/foo/bar", &["prefix.*.io:1111/foo"]),
    (&["*.kubernetes.io"], "kubernetes.io", &[]),
    (&["*.*.kubernetes.io"], "prefix.kubernetes.io", &[]),
    (&["*.*.kubernetes.io"], "kubernetes.io", &[]),
    (&["kubernetes.io"], "kubernetes.com", &[]),
    (&["k*.io"], "quay.io", &[]),
    (&["*.kubernetes.io:1234/blah"], "prefix.kubernetes.io:1111/blah", &[]),
    (&["prefix.*.io/foo"], "prefix.kubernetes.io:1111/foo/bar", &[]),
];

/// `TestDockerKeyringForGlob`.
const GLOBS: &[Row] = &[
    (&["https://hello.kubernetes.io"], "hello.kubernetes.io/foo/bar", &["https://hello.kubernetes.io"]),
    (&["https://*.docker.io"], "prefix.docker.io/foo/bar", &["https://*.docker.io"]),
    (&["https://prefix.*.io"], "prefix.docker.io/foo/bar", &["https://prefix.*.io"]),
    (&["https://prefix.docker.*"], "prefix.docker.io/foo/bar", &["https://prefix.docker.*"]),
    (&["https://*.docker.io/path"], "prefix.docker.io/path/foo/bar", &["https://*.docker.io/path"]),
    (&["https://prefix.*.io/path"], "prefix.docker.io/path/subpath/foo/bar", &["https://prefix.*.io/path"]),
    (&["https://prefix.docker.*/path"], "prefix.docker.io/path/foo/bar", &["https://prefix.docker.*/path"]),
    (&["https://*.docker.io:8888"], "prefix.docker.io:8888/foo/bar", &["https://*.docker.io:8888"]),
    (&["https://prefix.*.io:8888"], "prefix.docker.io:8888/foo/bar", &["https://prefix.*.io:8888"]),
    (&["https://prefix.docker.*:8888"], "prefix.docker.io:8888/foo/bar", &["https://prefix.docker.*:8888"]),
    (
        &["https://*.docker.io/path:1111"],
        "prefix.docker.io/path:1111/foo/bar",
        &["https://*.docker.io/path:1111"],
    ),
    (&["https://*.docker.io/v1/"], "prefix.docker.io/path:1111/foo/bar", &["https://*.docker.io/v1/"]),
    (&["https://*.docker.io/v2/"], "prefix.docker.io/path:1111/foo/bar", &["https://*.docker.io/v2/"]),
    (
        &["https://prefix.docker.*/path:1111"],
        "prefix.docker.io/path:1111/foo/bar",
        &["https://prefix.docker.*/path:1111"],
    ),
    (&["prefix.docker.io:1111"], "prefix.docker.io:1111/path/foo/bar", &["prefix.docker.io:1111"]),
    (&["*.docker.io:1111"], "prefix.docker.io:1111/path/foo/bar", &["*.docker.io:1111"]),
];

/// `TestKeyringMiss`.
const MISSES: &[Row] = &[
    (&["https://hello.kubernetes.io"], "world.mesos.org/foo/bar/foo/bar", &[]),
    (&["https://*.docker.com"], "prefix.docker.io/foo/bar", &[]),
    (&["https://suffix.*.io"], "prefix.docker.io/foo/bar", &[]),
    (&["https://prefix.docker.c*"], "prefix.docker.io/foo/bar", &[]),
    (&["https://prefix.*.io/path:1111"], "prefix.docker.io/path/subpath:1111/foo/bar", &[]),
    (&["suffix.*.io"], "prefix.docker.io/foo/bar", &[]),
];

/// `TestKeyringHitWith…DockerHub` and `TestKeyringMissWithDockerHubCredentials`.
const DOCKER_HUB: &[Row] = &[
    (&["https://index.docker.io/v1/"], "world.mesos.org/foo/bar", &[]),
    (&["https://index.docker.io/v1/"], "google/docker-registry", &["https://index.docker.io/v1/"]),
    (&["https://index.docker.io/v1/"], "jenkins", &["https://index.docker.io/v1/"]),
    (
        &["https://index.docker.io/v1/"],
        "index.docker.io/v1//google/docker-registry",
        &["https://index.docker.io/v1/"],
    ),
];

/// `TestDockerKeyringLookup`, `TestIssue3797`.
const LOOKUP_ORDER: &[Row] = &[
    (&["bar.example.com/pong", "bar.example.com"], "bar.example.com", &["bar.example.com"]),
    (
        &["bar.example.com/pong", "bar.example.com"],
        "bar.example.com/pong",
        &["bar.example.com/pong", "bar.example.com"],
    ),
    (&["bar.example.com/pong", "bar.example.com"], "bar.example.com/ping", &["bar.example.com"]),
    (
        &["bar.example.com/pong", "bar.example.com"],
        "bar.example.com/pongz",
        &["bar.example.com/pong", "bar.example.com"],
    ),
    (
        &["bar.example.com/pong", "bar.example.com"],
        "bar.example.com/pong/pang",
        &["bar.example.com/pong", "bar.example.com"],
    ),
    (&["bar.example.com/pong", "bar.example.com"], "example.com", &[]),
    (&["bar.example.com/pong", "bar.example.com"], "foo.example.com", &[]),
    (&["https://quay.io/v1/"], "quay.io", &["https://quay.io/v1/"]),
    (&["https://quay.io/v1/"], "quay.io/foo", &["https://quay.io/v1/"]),
    (&["https://quay.io/v1/"], "quay.io/foo/bar", &["https://quay.io/v1/"]),
];

/// Cases seen on the kubelet's code.
const SEEN: &[Row] = &[
    (&["docker.io"], "docker.io/library/nginx", &["docker.io"]),
    (&["https://docker.io"], "docker.io/me/app", &["https://docker.io"]),
    (&["index.docker.io"], "docker.io/me/app", &["index.docker.io"]),
    (&["https://index.docker.io/v1/"], "docker.io/me/app", &["https://index.docker.io/v1/"]),
    (&["http://index.docker.io/v1/"], "docker.io/me/app", &["http://index.docker.io/v1/"]),
    (&["https://index.docker.io/v2/"], "docker.io/me/app", &["https://index.docker.io/v2/"]),
    (&["https://index.docker.io/v1"], "docker.io/me/app", &[]),
    (&["registry-1.docker.io"], "docker.io/me/app", &[]),
    (&["https://registry-1.docker.io/v2/"], "docker.io/me/app", &[]),
    (&["index.docker.io/me"], "docker.io/me/app", &[]),
    (&["docker.io/me"], "docker.io/me/app", &["docker.io/me"]),
    (&["docker.io/me"], "docker.io/me2/app", &["docker.io/me"]),
    (&["https://index.docker.io/v1/", "docker.io/me"], "docker.io/me/app", &["docker.io/me"]),
    (&["*.docker.io"], "docker.io/me/app", &[]),
    (&["ghcr.io/org"], "ghcr.io/org/app", &["ghcr.io/org"]),
    (&["ghcr.io/org"], "ghcr.io/organisation/app", &["ghcr.io/org"]),
    (&["ghcr.io/org/"], "ghcr.io/org/app", &["ghcr.io/org/"]),
    (&["ghcr.io/org/"], "ghcr.io/organisation/app", &[]),
    (&["ghcr.io"], "ghcr.io:443/org/app", &[]),
    (&["ghcr.io:443"], "ghcr.io/org/app", &[]),
    (&["https://ghcr.io:443"], "ghcr.io/org/app", &[]),
    (&["HTTPS://ghcr.io"], "ghcr.io/org/app", &[]),
    (&["oci://ghcr.io"], "ghcr.io/org/app", &[]),
    (&["GHCR.io"], "ghcr.io/org/app", &[]),
    (&[" ghcr.io"], "ghcr.io/app", &[]),
    (&["ghcr.io "], "ghcr.io/app", &[]),
    (&["ghcr.io:abc"], "ghcr.io/app", &[]),
    (&[""], "ghcr.io/app", &[]),
    (&["ghcr.io/Org"], "ghcr.io/org/app", &[]),
    (&["user@ghcr.io"], "ghcr.io/app", &["user@ghcr.io"]),
    (&["ghcr.io/org?x=1"], "ghcr.io/org/app", &["ghcr.io/org?x=1"]),
    (&["https://gcr.io/v2"], "gcr.io/p/app", &[]),
    (&["https://gcr.io/v2/p"], "gcr.io/p/app", &["https://gcr.io/v2/p"]),
    (
        &["*.dkr.ecr.*.amazonaws.com"],
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app",
        &["*.dkr.ecr.*.amazonaws.com"],
    ),
    (&["*.dkr.ecr.*.amazonaws.com"], "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/app", &[]),
    (&["*.pkg.dev"], "europe-west1-docker.pkg.dev/p/r/app", &["*.pkg.dev"]),
    (&["*.azurecr.io"], "foo.azurecr.io/app", &["*.azurecr.io"]),
    (&["*.gcr.io"], "gcr.io/p/app", &[]),
    (&["*"], "ghcr.io/app", &[]),
    (&["*.*"], "ghcr.io/app", &["*.*"]),
    (&["*"], "localhost:5000/app", &[]),
    (&["*:5000"], "localhost:5000/app", &["*:5000"]),
    (&["localhost"], "localhost:5000/app", &[]),
    (&["localhost:5000"], "localhost:5000/app", &["localhost:5000"]),
    (&["10.0.0.5:5000"], "10.0.0.5:5000/app", &["10.0.0.5:5000"]),
    (&["[::1]:5000"], "[::1]:5000/app", &["[::1]:5000"]),
    (
        &["a.example.com", "*.example.com", "*.example.com/x"],
        "a.example.com/x/y",
        &["a.example.com", "*.example.com/x", "*.example.com"],
    ),
    (&["registry.example.com/*/app"], "registry.example.com/team/app", &[]),
    (&["gh?r.io"], "ghcr.io/app", &[]),
    // Matched when the kubelet was built with Go 1.19; its URL parser has refused such brackets since.
    (&["*.[eg].com"], "x.e.com/app", &[]),
    (&["https://index.docker.io/v1/"], "docker.io/me/fn", &["https://index.docker.io/v1/"]),
    (&["index.docker.io"], "docker.io/me/fn", &["index.docker.io"]),
    (&["docker.io"], "docker.io/me/fn", &["docker.io"]),
    (&["ghcr.io"], "ghcr.io/o/fn", &["ghcr.io"]),
    (&["https://quay.io"], "quay.io/o/fn", &["https://quay.io"]),
    (&["*.azurecr.io"], "bar.azurecr.io/fn", &["*.azurecr.io"]),
    (&["ghcr.io/org"], "ghcr.io/org/fn", &["ghcr.io/org"]),
    (&["localhost:5000"], "localhost:5000/fn", &["localhost:5000"]),
    (&["10.0.0.5:5000"], "10.0.0.5:5000/fn", &["10.0.0.5:5000"]),
    (&["foo.azurecr.io"], "foo.azurecr.io/fn", &["foo.azurecr.io"]),
];

#[rstest]
#[case::urls_match(URLS_MATCH)]
#[case::globs(GLOBS)]
#[case::misses(MISSES)]
#[case::docker_hub(DOCKER_HUB)]
#[case::lookup_order(LOOKUP_ORDER)]
#[case::seen(SEEN)]
fn the_keys_that_answer_are_the_kubelets(#[case] rows: &[Row]) {
    for (keys, repository, expected) in rows {
        let keyring = Keyring::new(keys.iter().copied());
        let target = Target::new(repository);
        let found: Vec<&str> = keyring.lookup(&target).map(|entry| keys[entry]).collect();
        assert_eq!(found, *expected, "keys {keys:?}, image {repository:?}");
        assert_eq!(keyring.answers(&target), !expected.is_empty(), "keys {keys:?}, image {repository:?}");
    }
}

#[rstest]
#[case("foo/bar", true)]
#[case("docker.io/foo/bar", true)]
#[case("index.docker.io/foo/bar", true)]
#[case("foo", true)]
#[case("", false)]
#[case("registry.tld/foo/bar", false)]
#[case("registry:5000/foo/bar", false)]
#[case("myhostdocker.io/foo/bar", false)]
fn docker_hub_is_known_by_the_first_part_of_a_name(#[case] image: &str, #[case] expected: bool) {
    assert_eq!(Target::new(image).is_of_default_registry, expected);
}

#[test]
fn several_entries_of_one_key_are_all_tried() {
    let keyring = Keyring::new(["https://ghcr.io/v1/", "ghcr.io", "ghcr.io/org"]);
    assert_eq!(keyring.lookup(&Target::new("ghcr.io/org/app")).collect::<Vec<_>>(), [2, 0, 1]);
}

#[test]
fn a_pattern_made_to_backtrack_is_judged_at_once() {
    let key = "a*".repeat(2_000);
    let keyring = Keyring::new([key.as_str()]);
    assert!(!keyring.answers(&Target::new(&format!("{}b.io/app", "a".repeat(2_000)))));
}

proptest! {
    #[test]
    fn no_key_and_no_name_make_the_keyring_panic(key in ".*", repository in ".*") {
        let keyring = Keyring::new([key.as_str()]);
        let target = Target::new(&repository);
        prop_assert_eq!(keyring.answers(&target), keyring.lookup(&target).next().is_some());
    }
}
