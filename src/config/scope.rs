//! Whose cache it is: the scope of this cluster and this token.

use crate::model::secret::Secret;
use crate::nomad::Access;
use crate::store::scope::{Cluster, Scope};

use super::proxy;

/// `shared`: all tokens of the cluster share one cache.
pub(super) fn scope(access: &Access, shared: bool) -> Scope {
    let address = &access.address;
    let user = access.basic.as_ref().or(address.basic.as_ref()).map(|(user, _)| user.clone());
    let token = access.token.as_ref().map_or("", Secret::reveal);
    Scope::of(&Cluster {
        scheme: address.scheme.name().to_owned(),
        host: address.host.clone(),
        port: address.port,
        path: address.path.clone(),
        region: access.region.clone().unwrap_or_default(),
        tls_server_name: access.tls.server_name.clone().unwrap_or_default(),
        user: user.unwrap_or_default(),
        credential: if shared { "cluster".to_owned() } else { format!("token:{token}") },
        machine: if address.is_local() { machine() } else { String::new() },
        proxy: access.proxy.as_ref().map(|url| proxy::place(url.reveal())).unwrap_or_default(),
    })
}

/// `<host name>:<uid>`: 127.0.0.1 is another cluster on every laptop.
fn machine() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{name}:{}", rustix::process::getuid().as_raw())
}
