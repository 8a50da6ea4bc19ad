//! Whose status is written when.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::core::ObjectMeta;
use serde_json::json;

use super::*;
use crate::api::RegistryCredential;
use crate::knowledge::Index;
use crate::model::ObjectKey;
use crate::model::copy::copy_of;
use crate::model::source::tests::registry_secret;

struct Desk {
    index: Index,
    board: Board,
    started: Instant,
    /// Whether pods need the credential, everywhere.
    needs: bool,
}

impl Desk {
    /// A credential that is not written yet.
    fn new() -> Self {
        let index = Index::new("regcred-system");
        let desk = Self { index, board: Board::default(), started: Instant::now(), needs: true };
        desk.appear("ghcr", "1");
        desk.index.apply_source(&registry_secret(r#"{"auths":{"ghcr.io":{}}}"#));
        desk
    }

    fn appear(&self, name: &str, uid: &str) {
        self.index.apply_credential(&object(name, uid)).unwrap();
        self.index.apply_status(&object(name, uid));
    }

    fn at(&self, milliseconds: u64) -> Instant {
        self.started + Duration::from_millis(milliseconds)
    }

    fn note(&mut self, changes: impl IntoIterator<Item = Change>, milliseconds: u64) {
        let seen = Seen { at: self.at(milliseconds), wall_clock: Timestamp::UNIX_EPOCH };
        let (known, needs) = (self.index.snapshot(), self.needs);
        self.board.note(&changes.into_iter().collect(), &known, &|_, _, _| Some(needs), seen);
    }

    fn draft(&mut self, milliseconds: u64) -> Option<Draft> {
        self.board.draft(&self.index.snapshot(), self.at(milliseconds), Timestamp::UNIX_EPOCH)
    }

    /// Writes what is due, which the watch shows at once; returns whether anything was.
    fn write(&mut self, milliseconds: u64) -> bool {
        let Some(draft) = self.draft(milliseconds) else {
            return false;
        };
        let mut stored = object(&draft.subject.name, &draft.subject.uid);
        stored.status = Some(draft.status);
        self.index.apply_status(&stored);
        let (began, now) = (self.at(milliseconds), self.at(milliseconds + 5));
        self.board.ended(&draft.subject, began, Outcome::Written, now);
        self.note([Change::Status(draft.subject.name)], milliseconds + 10);
        true
    }

    fn namespace(&mut self, name: &str, milliseconds: u64) {
        self.index.apply_namespace(&ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() });
        self.note([Change::Namespace(name.into())], milliseconds);
    }

    /// The copy of what the source holds now.
    fn copy(&self, namespace: &str) -> Secret {
        let known = self.index.snapshot();
        let credential = &known.credentials["ghcr"];
        let source = known.good_source(credential).unwrap();
        copy_of(source, credential, &credential.copy_in(namespace))
    }

    fn next(&self) -> Option<u128> {
        self.board.next().map(|moment| moment.duration_since(self.started).as_millis())
    }
}

fn object(name: &str, uid: &str) -> RegistryCredential {
    let object = json!({
        "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential",
        "metadata": {"name": name, "uid": uid, "generation": 1},
        "spec": {"secretRef": {"namespace": "porch-system", "name": "auth-secret"}, "namespaces": ["team-*"]},
    });
    serde_json::from_value(object).unwrap()
}

fn said(status: serde_json::Value) -> RegistryCredentialStatus {
    serde_json::from_value(status).unwrap()
}

#[test]
fn a_new_credential_has_a_status_soon_and_then_nothing_is_due() {
    let mut desk = Desk::new();
    desk.note([Change::Everything], 0);
    assert_eq!(desk.next(), Some(300));
    assert!(!desk.write(299));
    assert!(desk.write(300));
    // That the stored one has changed is looked at once more, and comes to nothing.
    assert!(!desk.write(10_000));
    assert_eq!(desk.next(), None);
}

#[test]
fn many_changes_bring_one_write_in_five_seconds() {
    let mut desk = Desk::new();
    desk.note([Change::Everything], 0);
    assert!(desk.write(300));
    let mut written = Vec::new();
    for step in 1..200 {
        let milliseconds = 300 + step * 100;
        desk.namespace(&format!("team-{step}"), milliseconds);
        if desk.write(milliseconds) {
            written.push(milliseconds);
        }
    }
    assert_eq!(written, [5_300, 10_300, 15_300]);
}

#[test]
fn a_change_that_changes_nothing_is_not_even_due() {
    let mut desk = Desk::new();
    desk.note([Change::Everything], 0);
    assert!(desk.write(300));
    assert!(!desk.write(10_000));
    desk.namespace("elsewhere", 10_100);
    desk.note([Change::Pods("elsewhere".into()), Change::Copy(ObjectKey::new("x", "other"))], 10_200);
    assert_eq!(desk.next(), None);
}

#[test]
fn what_is_not_as_it_should_be_is_looked_at_again_without_a_write() {
    let mut desk = Desk::new();
    desk.index.apply_namespace(&ObjectMeta { name: Some("team-a".into()), ..ObjectMeta::default() });
    desk.note([Change::Everything], 0);
    assert!(desk.write(300));
    assert!(!desk.write(5_300));
    for step in 2..10 {
        let milliseconds = step * 5_000 + 400;
        desk.note([], milliseconds);
        assert!(!desk.write(milliseconds + 400));
        assert!(desk.next().is_some_and(|next| next > u128::from(milliseconds)), "{:?}", desk.next());
    }
}

#[test]
fn a_write_that_failed_is_tried_again_with_growing_pauses() {
    let mut desk = Desk::new();
    desk.note([Change::Everything], 0);
    let (mut milliseconds, mut pauses) = (300, Vec::new());
    for _ in 0..8 {
        let draft = desk.draft(milliseconds).unwrap();
        assert!(desk.draft(milliseconds).is_none());
        let now = desk.at(milliseconds);
        desk.board.ended(&draft.subject, now, Outcome::Failed, now);
        let next = u64::try_from(desk.next().unwrap()).unwrap();
        pauses.push((next - milliseconds) / 1_000);
        milliseconds = next;
    }
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
}

#[test]
fn a_credential_that_came_under_the_name_of_another_is_followed_anew() {
    let mut desk = Desk::new();
    desk.note([Change::Everything], 0);
    let draft = desk.draft(300).unwrap();
    desk.index.delete_credential("ghcr");
    desk.appear("ghcr", "2");
    desk.note([Change::Credential { name: "ghcr".into(), uid: "2".into() }], 400);
    let now = desk.at(410);
    desk.board.ended(&draft.subject, now, Outcome::Gone, now);
    let draft = desk.draft(800).unwrap();
    assert_eq!(&*draft.subject.uid, "2");
}

#[test]
fn one_that_has_come_before_the_change_that_tells_so_waits_for_that() {
    let mut desk = Desk::new();
    desk.note([Change::Everything], 0);
    desk.index.delete_credential("ghcr");
    desk.appear("ghcr", "2");
    assert!(desk.draft(400).is_none());
}

#[test]
fn a_credential_that_has_gone_is_not_followed() {
    let mut desk = Desk::new();
    desk.note([Change::Everything], 0);
    desk.index.delete_credential("ghcr");
    desk.note([Change::Credential { name: "ghcr".into(), uid: "1".into() }], 100);
    assert!(desk.board.entries.is_empty());
    assert_eq!(desk.next(), None);
}

#[test]
fn a_status_that_another_changed_is_put_right() {
    let mut desk = Desk::new();
    desk.note([Change::Everything], 0);
    assert!(desk.write(300));
    assert!(!desk.write(10_000));
    let mut meddled = object("ghcr", "1");
    meddled.status = Some(said(json!({"registries": ["lie.example"]})));
    desk.index.apply_status(&meddled);
    desk.note([Change::Status("ghcr".into())], 10_100);
    assert!(desk.write(10_400));
}

#[test]
fn one_that_a_former_leader_may_have_just_written_waits() {
    let mut desk = Desk::new();
    let mut stored = object("ghcr", "1");
    stored.status = Some(said(json!({"conditions": [{"type": "Ready"}]})));
    desk.index.apply_status(&stored);
    desk.note([Change::Everything], 0);
    assert_eq!(desk.next(), Some(5_000));
}

#[test]
fn the_ready_and_the_others_are_counted() {
    let mut desk = Desk::new();
    let mut broken = object("broken", "2");
    broken.spec.images = vec!["a b".into()];
    desk.index.apply_credential(&broken).unwrap_err();
    desk.index.apply_status(&broken);
    desk.index.apply_namespace(&ObjectMeta { name: Some("team-a".into()), ..ObjectMeta::default() });
    desk.note([Change::Everything], 0);
    assert_eq!(desk.board.readiness(), (0, 0));
    assert!(desk.write(300) && desk.write(300));
    assert_eq!(desk.board.readiness(), (1, 1));
    assert_eq!(desk.board.counts(), Counts { missing: 1, ..Counts::default() });
}

#[test]
fn a_write_that_was_overtaken_is_made_anew_after_the_pause() {
    let mut desk = Desk::new();
    desk.note([Change::Everything], 0);
    let draft = desk.draft(300).unwrap();
    let now = desk.at(310);
    let began = desk.at(300);
    desk.board.ended(&draft.subject, began, Outcome::Overtaken, now);
    assert_eq!(desk.next(), Some(5_300));
    assert!(desk.write(5_300));
}

#[test]
fn a_copy_that_no_pod_needs_and_that_has_followed_its_source_is_told() {
    let mut desk = Desk::new();
    desk.needs = false;
    desk.index.apply_namespace(&ObjectMeta { name: Some("team-a".into()), ..ObjectMeta::default() });
    let former = desk.copy("team-a");
    desk.index.apply_source(&registry_secret(r#"{"auths":{"quay.io":{}}}"#));
    let current = desk.copy("team-a");
    desk.index.apply_copy(&former);
    desk.note([Change::Everything], 0);
    assert!(desk.write(300));
    assert!(!desk.write(9_000));
    assert_eq!(desk.index.snapshot().stored["ghcr"].status.source, None);
    assert_eq!(desk.next(), None);
    desk.index.apply_copy(&current);
    desk.note([Change::Copy(ObjectKey::new("team-a", "regcred-ghcr"))], 10_000);
    let draft = desk.draft(10_300).unwrap();
    assert_eq!(draft.status.source.unwrap().resource_version, "7");
}
