//! What happens to the Secret and the bundles, and how soon all is right again.

use std::time::{Duration, Instant, SystemTime};

use base64::prelude::{BASE64_STANDARD, Engine};
use regcred::certificates::{Authority, TrustAnchor};
use serde_json::{Value, json};

use crate::harness::Installation;
use crate::harness::trust::{self, SOON, until_replaced, until_settled};
use crate::{figure, turn};

const DAY: Duration = Duration::from_hours(24);

fn encoded(text: &str) -> Value {
    Value::from(BASE64_STANDARD.encode(text))
}

/// An authority as the Secret would hold it, made so long ago.
fn stored(lifetime: Duration, age: Duration) -> (Value, TrustAnchor) {
    let authority = Authority::new("brought", lifetime, SystemTime::now() - age).unwrap();
    let data = json!({
        "tls.crt": encoded(&authority.certificate_pem()),
        "tls.key": encoded(authority.key_pem().expose()),
        "trust.json": null,
    });
    (data, authority.certificate().clone())
}

/// What was in use goes on being trusted beside the new authority, which is served soon.
async fn healed(
    installation: &Installation,
    what: &str,
    former: &TrustAnchor,
    begun: Instant,
) -> TrustAnchor {
    let control_plane = installation.control_plane();
    let new = until_replaced(control_plane, former, SOON).await;
    let made = begun.elapsed();
    assert_eq!(until_settled(installation).await, new, "{what}");
    figure(&format!("{what}: a new authority after {made:.1?}, served after {:.1?}", begun.elapsed()));
    assert!(trust::all_trust(control_plane, former).await, "{what}: leaves of it may be served");
    new
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_deleted_garbled_or_expired_is_made_anew_and_what_was_in_use_stays_trusted() {
    let _turn = turn().await;
    let installation = Installation::start(&["--bundle-propagation=1s"]).await;
    let control_plane = installation.control_plane();
    let mut authority = until_settled(&installation).await;

    let begun = Instant::now();
    trust::delete_secret(control_plane).await;
    authority = healed(&installation, "deleted", &authority, begun).await;

    let (another, _) = stored(365 * DAY, Duration::ZERO);
    for (what, data) in [
        ("garbled", json!({"tls.crt": encoded("garbage")})),
        ("of two minds", json!({"tls.key": another["tls.key"]})),
        ("emptied", json!({"tls.crt": "", "tls.key": "", "trust.json": null})),
        ("forgetful", json!({"trust.json": encoded("{}")})),
    ] {
        let begun = Instant::now();
        trust::patch_secret(control_plane, &data).await;
        authority = healed(&installation, what, &authority, begun).await;
    }

    let begun = Instant::now();
    let (expired, _) = stored(DAY, 2 * DAY);
    trust::patch_secret(control_plane, &expired).await;
    let new = until_settled_otherwise(&installation, &authority).await;
    figure(&format!("expired: a new authority served after {:.1?}", begun.elapsed()));
    assert!(new.not_after() > SystemTime::now() + 300 * DAY);
    assert!(trust::all_trust(control_plane, &authority).await);
    for replica in installation.replicas() {
        let log = replica.log();
        assert!(!log.contains("PRIVATE KEY") && !log.contains("Z2FyYmFnZQ"), "{log}");
    }
}

/// Waits until a valid authority other than this one signs, and is served.
async fn until_settled_otherwise(installation: &Installation, former: &TrustAnchor) -> TrustAnchor {
    let begun = Instant::now();
    loop {
        let now = until_replaced(installation.control_plane(), former, SOON).await;
        if now.not_after() > SystemTime::now() {
            return until_settled(installation).await;
        }
        assert!(begun.elapsed() < SOON, "the expired one stays");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_authority_that_an_admin_puts_there_is_taken_and_the_one_in_use_stays_trusted() {
    let _turn = turn().await;
    let installation = Installation::start(&["--bundle-propagation=1s"]).await;
    let control_plane = installation.control_plane();
    let own = until_settled(&installation).await;
    let (data, brought) = stored(365 * DAY, DAY);
    trust::patch_secret(control_plane, &data).await;
    let begun = Instant::now();
    while until_settled(&installation).await != brought {
        assert!(begun.elapsed() < SOON, "the authority brought does not sign");
    }
    assert!(trust::all_trust(control_plane, &own).await);
    let former = trust::former(control_plane).await;
    assert!(former.iter().any(|(anchor, until)| *anchor == own && *until > SystemTime::now() + 6 * DAY));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_is_emptied_or_overwritten_is_right_again_in_seconds() {
    let _turn = turn().await;
    let installation = Installation::start(&["--bundle-propagation=1s"]).await;
    let control_plane = installation.control_plane();
    let authority = until_settled(&installation).await;
    let (_, another) = stored(365 * DAY, Duration::ZERO);
    let path = "/webhooks/0/clientConfig/caBundle";
    for operation in [
        json!({"op": "remove", "path": path}),
        json!({"op": "replace", "path": path, "value": encoded(&another.to_pem())}),
    ] {
        for kind in [trust::MUTATING, trust::VALIDATING] {
            let operations = json!([operation]).to_string();
            let command = ["patch", kind, "regcred", "--type=json", "--patch", &operations];
            control_plane.kubectl(&command).await.succeeded();
        }
        let begun = Instant::now();
        while !trust::all_trust(control_plane, &authority).await {
            assert!(begun.elapsed() < SOON, "not mended: {operation}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        figure(&format!("{}: right again after {:.1?}", operation["op"], begun.elapsed()));
    }
}
