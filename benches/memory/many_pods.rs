//! What is kept of very many pods, without the rest of the server: how much larger this process gets by them.

use regcred::knowledge::Pods;
use regcred::model::pod::ObservedPod;

use crate::objects;

/// Pods of the largest cluster that Kubernetes is made for.
const PODS: usize = 150_000;
const NAMESPACES: usize = 10_000;
/// Pods of each owner.
const EACH: usize = 5;

/// Bytes for each pod.
pub(crate) fn bytes_each() -> f64 {
    let pods = Pods::default();
    let before = super::resident("self")[0];
    for number in 0..PODS {
        // Owner and images are those of the first of five, name and uid its own.
        let (_, mut object) = objects::pod(number / EACH, NAMESPACES);
        object["metadata"]["name"] = format!("web-6b7f9c5d4-{number:06}").into();
        object["metadata"]["uid"] = format!("00000000-0000-4000-9000-{number:012}").into();
        let pod: ObservedPod = serde_json::from_value(object).expect("a pod");
        pods.apply(&pod);
    }
    assert_eq!(pods.len(), PODS);
    (super::resident("self")[0] - before) * 1024.0 * 1024.0 / f64::from(u32::try_from(PODS).expect("fits"))
}
