//! Carries out what decisions about Secrets that are pointed to ask of the API server.

use futures::{StreamExt, stream};

use super::needs::OUT_OF_TIME;
use crate::cluster::protection::{Inquiry, Trust};
use crate::model::protection::{Listing, LiveReferrer, SecretAnswer};
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
        answers.may_bypass = answer.may_bypass.or(answers.may_bypass);
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
        Need::MayBypass { requester, secret } => {
            answers.may_bypass = Some(inquiry.may_bypass(requester, secret).await);
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
        Need::MayBypass { .. } => answers.may_bypass = Some(false),
        Need::Namespace(_) | Need::Secrets(_) | Need::Copy { .. } => {}
    }
}
