//! What an operator may set about the server, as arguments or environment variables.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of the server; flattened into the command that serves.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// Address on which the API server's reviews are taken, over TLS
    #[arg(long, env = "REGCRED_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8443")]
    pub listen: SocketAddr,

    /// Address of health, readiness, metrics and version, over plain HTTP
    #[arg(long, env = "REGCRED_ADMIN_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub admin_listen: SocketAddr,

    /// Directory with the certificate and its key, as the files tls.crt and tls.key; without it regcred makes its own
    #[arg(long, env = "REGCRED_TLS_DIRECTORY", value_name = "DIRECTORY")]
    pub tls_directory: Option<PathBuf>,

    /// How often the certificate's files are read even if nothing announced a change
    // Directory events can be lost (a full inotify queue, a file system without events); half a minute
    // is far inside the time that a rotated certificate overlaps with the one before it.
    #[arg(
        long, env = "REGCRED_TLS_POLL_INTERVAL", value_name = "DURATION", default_value = "30s",
        value_parser = crate::duration::parse_interval
    )]
    pub tls_poll_interval: Duration,

    /// How long a server that is to stop still takes new connections
    // Endpoints lag behind: for some seconds after a pod is told to stop, kube-proxy and the API server still
    // send to it. The kubelet's probes and the endpoint controller are through with it well within 10 s.
    #[arg(
        long, env = "REGCRED_DRAIN_PAUSE", value_name = "DURATION", default_value = "10s",
        value_parser = crate::duration::parse
    )]
    pub drain_pause: Duration,

    /// How long a stopping server then waits for reviews that are still being answered
    // Five times what the longest review has (timeoutSeconds 3). Pause and wait together, 25 s, stay below Kubernetes'
    // default terminationGracePeriodSeconds of 30 s, after which the kubelet kills.
    #[arg(
        long, env = "REGCRED_DRAIN_TIMEOUT", value_name = "DURATION", default_value = "15s",
        value_parser = crate::duration::parse
    )]
    pub drain_timeout: Duration,
}
