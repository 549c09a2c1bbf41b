//! The files of this machine: what they promise beyond what every store does.

mod ages;
mod beside_redis;
mod damage;
mod flights;
mod folder;
mod keeping;

use nomad_clients::store::{Look, Store, Want};

/// What LOOK says, with the age in milliseconds; the rev that it refuses if it is a miss.
fn seen(store: &dyn Store, want: Want) -> Result<(Vec<u8>, u128), Option<String>> {
    match store.look(want).unwrap() {
        Look::Hit(hit) => Ok((hit.all.to_vec(), hit.age.as_millis())),
        Look::Miss { refuse } => Err(refuse),
        Look::File(..) => panic!("nobody asked for a file"),
    }
}
