//! The files of this machine: what they promise beyond what every store does.

mod ages;
mod damage;
mod flights;
mod folder;
mod keeping;

use std::path::Path;

use nomad_clients::store::{Look, Store, Want, sum};

/// What LOOK says, with the age in milliseconds; the rev that it refuses if it is a miss.
pub(crate) fn seen(store: &dyn Store, want: Want) -> Result<(Vec<u8>, u128), Option<String>> {
    match store.look(want).unwrap() {
        Look::Hit(hit) => Ok((hit.all, hit.age.as_millis())),
        Look::Miss { refuse } => Err(refuse),
    }
}

/// Changes the header line of a snapshot, and gives it the right sum again.
#[track_caller]
fn forge(path: &Path, old: &str, new: &str) {
    let bytes = std::fs::read(path).unwrap();
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    let line = String::from_utf8(bytes[..end].to_vec()).unwrap();
    assert!(line.contains(old), "{line}");
    let line = line.replacen(old, new, 1);
    let (start, _) = line.split_once(r#""check":""#).unwrap();
    let check = sum::of(format!(r#"{start}"check":""}}"#).as_bytes());
    let line = format!(r#"{start}"check":"{check}"}}"#);
    std::fs::write(path, [line.as_bytes(), &bytes[end..]].concat()).unwrap();
}
