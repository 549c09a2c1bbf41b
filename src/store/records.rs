//! Full records as they come out of a hash: usable only if they are exactly what a meta line describes.

use std::collections::HashSet;
use std::time::Duration;

use crate::model::json::is_harmless;
use crate::model::node::{FullJson, Fulls, NodeId};
use crate::model::snapshot::Snapshot;

use super::Publication;
use super::meta::{self, Meta};

/// Fields and values of a hash, as they were read.
pub(super) type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// The full records if `fields` (id and value) are exactly those that `meta` was published with:
/// the number of fields is right, the sum covers every byte of the values, each value names its own
/// field (two exchanged values have the same sum), and none could steer a terminal.
pub(super) fn verified(meta: &Meta, fields: Fields) -> Option<Fulls> {
    let counted = u64::try_from(fields.len()).is_ok_and(|count| count == meta.count);
    let hsum = || meta::sum_of_values(fields.iter().map(|(_, value)| value.as_slice()));
    if !counted || hsum() != meta.hsum {
        return None;
    }
    fields.into_iter().map(named).collect()
}

/// What `meta` describes as far as its full records tell it: without `all`. `since`: how long ago it
/// was published.
pub(super) fn recorded(meta: &Meta, fulls: Fulls, since: Duration) -> Snapshot {
    Snapshot {
        rev: meta.rev.clone(),
        index: meta.index,
        count: meta.count,
        all: Vec::new(),
        fulls: Some(fulls),
        age: Duration::from_millis(meta.lag_ms).saturating_add(since),
        since,
    }
}

fn named((field, value): (Vec<u8>, Vec<u8>)) -> Option<(NodeId, FullJson)> {
    let field = std::str::from_utf8(&field).ok()?;
    let id = NodeId::parse(field).filter(|id| id.as_str() == field)?;
    let rest = value.strip_prefix(br#"{"id":""#)?.strip_prefix(field.as_bytes())?;
    (rest.starts_with(b"\"") && is_harmless(&value)).then(|| (id, value.into()))
}

/// What a publication does to the hash.
pub(super) struct Difference<'a> {
    /// Ids that are gone since the base.
    pub gone: Vec<&'a str>,
    /// Records that are new or changed since the base; without a base all of them.
    pub changed: Vec<(&'a str, &'a [u8])>,
}

pub(super) fn difference<'a>(publication: &Publication<'a>) -> Difference<'a> {
    let bytes = |(id, full): &'a (NodeId, FullJson)| (id.as_str(), full.as_slice());
    let Some(base) = publication.base else {
        return Difference {
            gone: Vec::new(),
            changed: publication.fulls.iter().map(bytes).collect(),
        };
    };
    let present: HashSet<_> = publication.fulls.iter().map(|(id, _)| id).collect();
    let gone = base.fulls.keys().filter(|id| !present.contains(id)).map(NodeId::as_str).collect();
    let is_new = |(id, full): &&(NodeId, FullJson)| base.fulls.get(id) != Some(full);
    let changed = publication.fulls.iter().filter(is_new).map(bytes).collect();
    Difference { gone, changed }
}

#[cfg(test)]
mod tests {
    use super::verified;
    use crate::store::meta::{self, Meta};

    const A: &str = "6f1c36aa-0000-4000-8000-00000000000a";
    const B: &str = "6f1c36aa-0000-4000-8000-00000000000b";

    fn fields(of: &[(&str, &str)]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let value = |id: &str| format!(r#"{{"id":"{id}","x":1}}"#).into_bytes();
        of.iter().map(|(field, id)| (field.as_bytes().to_vec(), value(id))).collect()
    }

    fn meta(of: &[(Vec<u8>, Vec<u8>)]) -> Meta {
        let hsum = meta::sum_of_values(of.iter().map(|(_, value)| value.as_slice()));
        let line = format!("v1|a|b|c|{:020}|{}|0|-|{hsum}|1|1", 1, of.len());
        Meta::parse(line.as_bytes()).unwrap()
    }

    #[test]
    fn only_the_very_records_pass() {
        let good = fields(&[(A, A), (B, B)]);
        let described = meta(&good);
        assert_eq!(verified(&described, good.clone()).unwrap().len(), 2);
        assert_eq!(verified(&described, good[..1].to_vec()), None);
        let mut edited = good;
        edited[0].1[42] ^= 1;
        assert_eq!(verified(&described, edited), None);
        assert_eq!(verified(&described, fields(&[(A, B), (B, A)])), None);
        let upper = A.to_uppercase();
        let folded = fields(&[(&upper, &upper)]);
        assert_eq!(verified(&meta(&folded), folded), None);
    }
}
