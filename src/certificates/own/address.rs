//! Where webhook entries call us: at our Service, and at hosts that the operator names.

use std::net::IpAddr;

use http::Uri;
use k8s_openapi::api::admissionregistration::v1::WebhookClientConfig;

use crate::certificates::authority::service_names;
use crate::model::dns_name;

/// The Service that our entries call in a cluster that regcred runs in.
const SERVICE: &str = "regcred";

/// All the places that are us to the API server.
#[derive(Debug, Clone)]
pub(super) struct Address {
    namespace: String,
    hosts: Vec<String>,
}

impl Address {
    /// That of our Service in this namespace, and of URLs with one of these hosts.
    pub(super) fn new(namespace: &str, hosts: &[String]) -> Self {
        Self { namespace: namespace.to_owned(), hosts: hosts.to_vec() }
    }

    /// Whether an entry calls it.
    pub(super) fn is_called_by(&self, client: &WebhookClientConfig) -> bool {
        if let Some(service) = &client.service {
            return service.name == SERVICE && service.namespace == self.namespace;
        }
        let host = client.url.as_deref().and_then(host_of);
        host.is_some_and(|host| self.hosts.contains(&host))
    }

    /// Whether an entry calls a URL that is not ours.
    pub(super) fn is_passed_over_by(&self, client: &WebhookClientConfig) -> bool {
        client.url.is_some() && !self.is_called_by(client)
    }

    /// The names that a certificate must have to be accepted there; the first is that of the Service.
    pub(super) fn names(&self) -> Vec<String> {
        service_names(SERVICE, &self.namespace).into_iter().chain(self.hosts.iter().cloned()).collect()
    }
}

/// The host of a URL, as [`parse_host`] would have it.
fn host_of(url: &str) -> Option<String> {
    let url: Uri = url.parse().ok()?;
    let host = url.host()?;
    parse_host(host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)).ok()
}

/// Reads a host of the command line: a DNS name, or an IP address without brackets.
pub(super) fn parse_host(text: &str) -> Result<String, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    let name = text.to_ascii_lowercase();
    if dns_name::is_subdomain(&name) {
        Ok(name)
    } else {
        Err("name a host as in the webhooks' URLs, such as regcred.example.com or 192.0.2.1: no scheme, port or path"
            .to_owned())
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::admissionregistration::v1::ServiceReference;

    use super::*;

    fn by_url(url: &str) -> WebhookClientConfig {
        WebhookClientConfig { url: Some(url.to_owned()), ..WebhookClientConfig::default() }
    }

    #[test]
    fn an_entry_calls_us_by_our_service_or_by_a_url_with_a_host_of_ours() {
        let hosts = ["regcred.example.com", "192.0.2.1", "2001:db8::1"].map(str::to_owned);
        let address = Address::new("regcred-system", &hosts);
        for (url, expected) in [
            ("https://regcred.example.com/mutate/pods", true),
            ("https://REGCRED.example.com:8443/mutate/pods", true),
            ("https://192.0.2.1:8443/mutate/pods", true),
            ("https://[2001:db8:0::1]:8443/", true),
            ("https://192.0.2.2:8443/mutate/pods", false),
            ("https://regcred.example.com.elsewhere.example/", false),
            ("https://elsewhere.example/regcred.example.com", false),
            ("https://elsewhere.example:443/?regcred.example.com", false),
            ("regcred.example.com:8443:1", false),
            ("", false),
        ] {
            assert_eq!(address.is_called_by(&by_url(url)), expected, "{url}");
            assert_eq!(address.is_passed_over_by(&by_url(url)), !expected, "{url}");
        }
        assert!(!Address::new("regcred-system", &[]).is_called_by(&by_url("https://regcred.example.com/")));
        for (name, namespace, expected) in [
            ("regcred", "regcred-system", true),
            ("other", "regcred-system", false),
            ("regcred", "other", false),
        ] {
            let service = ServiceReference {
                name: name.to_owned(),
                namespace: namespace.to_owned(),
                ..ServiceReference::default()
            };
            let client = WebhookClientConfig { service: Some(service), ..WebhookClientConfig::default() };
            assert_eq!(address.is_called_by(&client), expected, "{namespace}/{name}");
        }
    }

    #[test]
    fn a_certificate_is_for_the_service_and_for_all_hosts() {
        let names = Address::new("regcred-system", &["192.0.2.1".to_owned()]).names();
        assert_eq!(
            names,
            ["regcred.regcred-system.svc", "regcred.regcred-system.svc.cluster.local", "192.0.2.1"]
        );
    }

    #[test]
    fn a_host_has_neither_scheme_nor_port_nor_path() {
        for (text, expected) in [
            ("regcred.example.com", Some("regcred.example.com")),
            ("Regcred.Example.com", Some("regcred.example.com")),
            ("192.0.2.1", Some("192.0.2.1")),
            ("2001:db8:0::1", Some("2001:db8::1")),
            ("https://regcred.example.com", None),
            ("regcred.example.com:8443", None),
            ("regcred.example.com/mutate", None),
            ("*.example.com", None),
            ("", None),
        ] {
            assert_eq!(parse_host(text).ok().as_deref(), expected, "{text}");
        }
    }
}
