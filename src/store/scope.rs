//! Whose nodes a cache holds: one cluster, seen with one credential.

use sha2::{Digest as _, Sha256};

/// The shape of the records. Raised whenever the JSON of a record changes, so that old and new
/// programs live side by side.
const SHAPE: &str = "nomad-clients/r2";

/// What tells one cache from another; only its hash is ever stored.
#[derive(Clone, Default)]
pub struct Cluster {
    /// `http`, `https` or `unix`.
    pub scheme: String,
    /// Lower case, no final dot, IPv6 without brackets in RFC 5952 form; a unix socket's path.
    pub host: String,
    /// The port really used; `None` for a unix socket.
    pub port: Option<u16>,
    /// Without the final slash.
    pub path: String,
    pub region: String,
    pub tls_server_name: String,
    /// User name of HTTP Basic, never the password.
    pub user: String,
    /// `token:` and the ACL token, or `cluster` where all tokens share one cache.
    pub credential: String,
    /// `<host name>:<uid>` for loopback and unix sockets: 127.0.0.1 is another cluster on every laptop.
    pub machine: String,
    /// `scheme://host:port` of the HTTP proxy.
    pub proxy: String,
}

/// 32 hex digits that name a [`Cluster`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope(String);

impl Scope {
    pub fn of(cluster: &Cluster) -> Self {
        let port = cluster.port.map(|port| port.to_string()).unwrap_or_default();
        let name = cluster.tls_server_name.to_lowercase();
        let mut hash = Sha256::new();
        for field in [
            SHAPE,
            &cluster.scheme,
            &cluster.host,
            &port,
            &cluster.path,
            &cluster.region,
            &name,
            &cluster.user,
            &cluster.credential,
            &cluster.machine,
            &cluster.proxy,
        ] {
            let len =
                u32::try_from(field.len()).expect("arguments and variables are shorter than 4 GB");
            hash.update(len.to_be_bytes());
            hash.update(field.as_bytes());
        }
        let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Self(hex[..32].to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Cluster, Scope};

    fn plain(host: &str) -> Cluster {
        Cluster {
            scheme: "http".to_owned(),
            host: host.to_owned(),
            port: Some(4646),
            credential: "token:".to_owned(),
            ..Cluster::default()
        }
    }

    /// The vectors of the protocol.
    #[test]
    fn vectors() {
        assert_eq!(Scope::of(&plain("10.0.0.5")).as_str(), "a87821ae35e0232025c243e62bf254b4");
        let machine = Cluster { machine: "host-a:1000".to_owned(), ..plain("127.0.0.1") };
        assert_eq!(Scope::of(&machine).as_str(), "fae3140cbf9c0582ae70d4d9a5f9da54");
        let full = Cluster {
            scheme: "https".to_owned(),
            path: "/nomad".to_owned(),
            region: "eu".to_owned(),
            user: "ops".to_owned(),
            credential: "token:6f1c36aa-1111-2222-3333-444455556666".to_owned(),
            ..plain("nomad.example.com")
        };
        assert_eq!(Scope::of(&full).as_str(), "e19c52e2da58f3e6c7e54788eb40e576");
    }
}
