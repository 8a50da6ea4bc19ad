//! What a request asks of the API server, as the API server itself tells it from method and path.

use std::borrow::Cow;

use http::{Method, Uri};

/// Verb and resource of a request, as they are in RBAC rules and the audit log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ApiRequest<'a> {
    pub(super) verb: &'static str,
    /// With its subresource, if there is one, as in `pods/eviction`; `none` for paths that are no resource's.
    pub(super) resource: Cow<'a, str>,
}

/// Subresources of namespaces. Any other segment after a namespace's name is the resource of what is in it.
const OF_NAMESPACES: [&str; 2] = ["status", "finalize"];

impl<'a> ApiRequest<'a> {
    /// Reads a request of our own client. No name of an object is in the result, so there are as many results as our
    /// code has kinds of calls.
    pub(super) fn of(method: &Method, uri: &'a Uri) -> Self {
        let mut segments = uri.path().split('/').filter(|segment| !segment.is_empty());
        // `/api/VERSION/...` or `/apis/GROUP/VERSION/...`; what is shorter lists groups or resources.
        let before_resource = match segments.next() {
            Some("api") => 1,
            Some("apis") => 2,
            _ => return Self::of_no_resource(method),
        };
        let rest: Vec<&str> = segments.skip(before_resource).collect();
        let (resource, name, subresource) = match *rest.as_slice() {
            [] => return Self::of_no_resource(method),
            ["namespaces", name, subresource] if OF_NAMESPACES.contains(&subresource) => {
                ("namespaces", Some(name), Some(subresource))
            }
            ["namespaces", _, resource, ref rest @ ..] | [resource, ref rest @ ..] => {
                (resource, rest.first().copied(), rest.get(1).copied())
            }
        };
        let resource = subresource
            .map_or(Cow::Borrowed(resource), |subresource| format!("{resource}/{subresource}").into());
        Self { verb: verb(method, uri, name.is_some()), resource }
    }

    fn of_no_resource(method: &Method) -> Self {
        let verb = match *method {
            Method::GET => "get",
            Method::POST => "post",
            _ => "other",
        };
        Self { verb, resource: "none".into() }
    }
}

fn verb(method: &Method, uri: &Uri, named: bool) -> &'static str {
    match *method {
        Method::GET | Method::HEAD if named => "get",
        Method::GET | Method::HEAD if is_watch(uri) => "watch",
        Method::GET | Method::HEAD => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if named => "delete",
        Method::DELETE => "deletecollection",
        _ => "other",
    }
}

fn is_watch(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true" || pair == "watch=1"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::list("GET", "/api/v1/secrets?limit=50", "list", "secrets")]
    #[case::list_in_a_namespace(
        "GET",
        "/api/v1/namespaces/team-a/secrets?labelSelector=a",
        "list",
        "secrets"
    )]
    #[case::watch("GET", "/api/v1/namespaces?&watch=true&timeoutSeconds=60", "watch", "namespaces")]
    #[case::watch_in_short("GET", "/api/v1/namespaces?watch=1", "watch", "namespaces")]
    #[case::no_watch("GET", "/api/v1/namespaces?watch=false", "list", "namespaces")]
    #[case::streaming_list("GET", "/api/v1/secrets?watch=true&sendInitialEvents=true", "watch", "secrets")]
    #[case::get("GET", "/api/v1/namespaces/team-a/secrets/regcred-ghcr", "get", "secrets")]
    #[case::get_namespace("GET", "/api/v1/namespaces/team-a", "get", "namespaces")]
    #[case::namespace_status("PATCH", "/api/v1/namespaces/team-a/status", "patch", "namespaces/status")]
    #[case::finalize("PUT", "/api/v1/namespaces/team-a/finalize", "update", "namespaces/finalize")]
    #[case::namespace_of_that_name("GET", "/api/v1/namespaces/status/pods", "list", "pods")]
    #[case::create("POST", "/api/v1/namespaces/team-a/secrets?fieldManager=regcred", "create", "secrets")]
    #[case::patch("PATCH", "/api/v1/namespaces/team-a/secrets/regcred-ghcr", "patch", "secrets")]
    #[case::delete("DELETE", "/api/v1/namespaces/team-a/secrets/regcred-ghcr", "delete", "secrets")]
    #[case::delete_all("DELETE", "/api/v1/namespaces/team-a/secrets", "deletecollection", "secrets")]
    #[case::evict("POST", "/api/v1/namespaces/team-a/pods/web/eviction", "create", "pods/eviction")]
    #[case::group("GET", "/apis/regcred.dev/v1alpha1/registrycredentials", "list", "registrycredentials")]
    #[case::group_status(
        "PATCH",
        "/apis/regcred.dev/v1alpha1/registrycredentials/ghcr/status",
        "patch",
        "registrycredentials/status"
    )]
    #[case::lease(
        "PUT",
        "/apis/coordination.k8s.io/v1/namespaces/regcred-system/leases/regcred",
        "update",
        "leases"
    )]
    #[case::slash_at_the_end("GET", "/api/v1/secrets/", "list", "secrets")]
    #[case::version("GET", "/version", "get", "none")]
    #[case::discovery("GET", "/apis/regcred.dev/v1alpha1", "get", "none")]
    #[case::root("GET", "/", "get", "none")]
    #[case::unknown_method("OPTIONS", "/api/v1/secrets", "other", "secrets")]
    fn verb_and_resource_are_those_of_the_audit_log(
        #[case] method: &str,
        #[case] uri: &str,
        #[case] verb: &str,
        #[case] resource: &str,
    ) {
        let (method, uri) = (method.parse().unwrap(), uri.parse().unwrap());
        let request = ApiRequest::of(&method, &uri);
        assert_eq!((request.verb, &*request.resource), (verb, resource));
    }
}
