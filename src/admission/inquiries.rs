//! Carries out what decisions about Secrets that are pointed to ask of the API server.

use futures::{StreamExt, stream};

use super::needs::OUT_OF_TIME;
use crate::cluster::protection::{Inquiry, Trust};
use crate::model::protection::{Bypass, Listing, LiveReferrer, SecretAnswer};
use crate::policy::{Answers, Need};
use crate::server::Deadline;

/// How many of one review are under way at once. A Secret may have a hundred reservations, each of another referrer.
const AT_ONCE: usize = 20;

/// Carries out all, under one deadline. What is not done by then is answered as such.
pub(super) async fn carry_out(
    inquiry: &Inquiry,
    needs: Vec<Need>,
    answers: &mut Answers,
    deadline: &Deadline,
) {
    let asked = needs.into_iter().map(|need| async move {
        let mut answer = Answers::default();
        if deadline.run(ask(inquiry, &need, &mut answer)).await.is_err() {
            answer_too_late(need, &mut answer);
        }
        answer
    });
    let mut answered = stream::iter(asked).buffer_unordered(AT_ONCE);
    while let Some(answer) = answered.next().await {
        answers.referenced.extend(answer.referenced);
        answers.reserved.extend(answer.reserved);
        answers.referrers.extend(answer.referrers);
        answers.listing = answer.listing.or(answers.listing.take());
        answers.bypass = answer.bypass.or(answers.bypass.take());
    }
}

async fn ask(inquiry: &Inquiry, need: &Need, answers: &mut Answers) {
    match need {
        Need::ReferencedSecret(key) => {
            answers.referenced.insert(key.clone(), inquiry.secret(key).await);
        }
        Need::Reserve { secret, uid, reservation } => {
            let reserved = inquiry.reserve(secret, uid, reservation).await;
            answers.reserved.insert(secret.clone(), reserved);
        }
        Need::Referrer(referrer) => {
            answers.referrers.insert(referrer.clone(), inquiry.referrer(referrer).await);
        }
        Need::Referrers { secret, is_marked } => {
            let trust = if *is_marked { Trust::Fresh } else { Trust::Remembered };
            answers.listing = Some(inquiry.referrers(secret, trust).await);
        }
        Need::Bypass { requester, secret } => {
            answers.bypass = Some(inquiry.bypass(requester, secret).await);
        }
        Need::Namespace(_) | Need::Secrets(_) | Need::Copy { .. } => {}
    }
}

fn answer_too_late(need: Need, answers: &mut Answers) {
    match need {
        Need::ReferencedSecret(key) => {
            answers.referenced.insert(key, SecretAnswer::Unknown(OUT_OF_TIME.into()));
        }
        Need::Reserve { secret, .. } => {
            answers.reserved.insert(secret, SecretAnswer::Unknown(OUT_OF_TIME.into()));
        }
        Need::Referrer(referrer) => {
            answers.referrers.insert(referrer, LiveReferrer::Unknown(OUT_OF_TIME.into()));
        }
        Need::Referrers { .. } => answers.listing = Some(Listing::Unknown(OUT_OF_TIME.into())),
        Need::Bypass { .. } => answers.bypass = Some(Bypass::Unknown(OUT_OF_TIME.into())),
        Need::Namespace(_) | Need::Secrets(_) | Need::Copy { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cluster::tests::{Answer, client};
    use crate::model::ObjectKey;
    use crate::model::protection::{Claim, Reservation};
    use crate::model::reference::{Referrer, ReferrerKind};
    use crate::model::scope::Scope;
    use crate::review::Requester;

    /// What is asked for twice is asked for ever: an answer that is missing would never end.
    #[tokio::test(start_paused = true)]
    async fn what_is_not_answered_in_time_is_answered_as_unknown() {
        let (secret, other) = (ObjectKey::new("garden-dev", "a"), ObjectKey::new("garden-dev", "b"));
        let referrer = Referrer { kind: ReferrerKind::Shoot, key: ObjectKey::new("garden-dev", "shoot") };
        let claim = Claim { referrer: referrer.clone(), uid: "1".into(), over: None };
        let reservation = Reservation { attempt: "attempt".into(), claim };
        let needs = vec![
            Need::ReferencedSecret(secret.clone()),
            Need::Reserve { secret: other.clone(), uid: "7".into(), reservation },
            Need::Referrer(referrer.clone()),
            Need::Referrers { secret: secret.clone(), is_marked: true },
            Need::Bypass { requester: Requester::default(), secret: secret.clone() },
        ];
        let inquiry = Inquiry::new(client(|_| std::future::pending::<Answer>()), Scope::All);
        let (mut answers, deadline) = (Answers::default(), Deadline::after(Duration::from_secs(1)));
        carry_out(&inquiry, needs, &mut answers, &deadline).await;
        assert!(matches!(answers.referenced[&secret], SecretAnswer::Unknown(_)));
        assert!(matches!(answers.reserved[&other], SecretAnswer::Unknown(_)));
        assert!(matches!(answers.referrers[&referrer], LiveReferrer::Unknown(_)));
        assert!(matches!(answers.listing, Some(Listing::Unknown(_))));
        assert!(matches!(answers.bypass, Some(Bypass::Unknown(_))));
    }
}
