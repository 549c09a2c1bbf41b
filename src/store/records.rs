//! Full records as they are stored: sealed with their own sum, and usable only with the list that
//! they belong to.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::model::json::is_harmless;
use crate::model::node::{AllJson, FullJson, Fulls, NodeId};
use crate::model::rows;
use crate::model::snapshot::Snapshot;

use super::meta::{self, Meta};

/// Fields and values of a hash, as they were read.
pub(super) type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// What stands before the sum that a stored record ends with.
const SEAL: &[u8] = br#","sum":""#;
const SEAL_END: &[u8] = br#""}"#;
/// Of a sum, in hex digits.
const SUM_LEN: usize = 16;

/// The full record as it is stored: its last key is the sum of everything before.
pub(super) fn seal(full: &[u8]) -> Vec<u8> {
    let (open, end) = seal_parts(full);
    [open, &end].concat()
}

/// The same in two parts, of which only the short end is new.
pub(super) fn seal_parts(full: &[u8]) -> (&[u8], Vec<u8>) {
    let open = full.strip_suffix(b"}").unwrap_or(full);
    (open, [SEAL, meta::sum(open).as_bytes(), SEAL_END].concat())
}

/// The full record without its sum; `None` if that is not the right one.
pub(super) fn unseal(mut stored: Vec<u8>) -> Option<Vec<u8>> {
    let end = stored.len().checked_sub(SEAL.len() + SUM_LEN + SEAL_END.len())?;
    let (open, tail) = stored.split_at(end);
    let sum = tail.strip_prefix(SEAL)?.strip_suffix(SEAL_END)?;
    if meta::sum(open).as_bytes() != sum {
        return None;
    }
    stored.truncate(end);
    stored.push(b'}');
    Some(stored)
}

/// The full records of exactly the nodes of `all`, in its order: each begins with its record there.
/// Whatever Nomad changes moves the modify index, which stands in the record; damage shows in the
/// sum; and none may contain what could steer a terminal.
pub(super) fn matched(all: &[u8], fields: Fields) -> Option<Fulls> {
    let records = rows::split(all)?;
    if records.len() != fields.len() {
        return None;
    }
    let mut of: HashMap<Vec<u8>, Vec<u8>> = fields.into_iter().collect();
    let full = |(id, record): (&str, &[u8])| of_record((id, record), of.remove(id.as_bytes())?);
    records.into_iter().map(full).collect()
}

/// The full records of a publication without `all`, of which only their number is known.
pub(super) fn counted(count: u64, fields: Fields) -> Option<Fulls> {
    let is_whole = u64::try_from(fields.len()) == Ok(count);
    is_whole.then(|| fields.into_iter().map(named).collect())?
}

/// One full record under the ID that it names itself.
fn named((field, stored): (Vec<u8>, Vec<u8>)) -> Option<(NodeId, FullJson)> {
    let field = std::str::from_utf8(&field).ok()?;
    let id = NodeId::parse(field).filter(|id| id.as_str() == field)?;
    let full = unseal(stored)?;
    let is_it = rows::id(&full) == Some(field) && is_harmless(&full);
    is_it.then(|| (id, full.into()))
}

/// The stored full record, if it belongs to this record with its ID.
pub(super) fn of_record(
    (id, record): (&str, &[u8]),
    stored: Vec<u8>,
) -> Option<(NodeId, FullJson)> {
    named((id.as_bytes().to_vec(), stored)).filter(|(_, full)| belongs(full, record))
}

/// Whether the full record begins with this record, but for its closing brace.
fn belongs(full: &[u8], record: &[u8]) -> bool {
    let rest = record.strip_suffix(b"}").and_then(|open| full.strip_prefix(open));
    rest.is_some_and(|rest| rest == b"}" || rest.starts_with(b","))
}

/// The records that these full records begin with, as an array in no order.
pub(super) fn records_of(fulls: &Fulls) -> AllJson {
    let records: Vec<Vec<u8>> = fulls.iter().map(|(_, full)| rows::record_of(full)).collect();
    [b"[", &records.join(&b","[..])[..], b"]"].concat().into()
}

/// The full records after a publication that sets and removes some.
pub(super) fn merged(old: Fulls, gone: &[NodeId], changed: &Fulls) -> Fulls {
    let replaced: HashSet<&NodeId> = changed.iter().map(|(id, _)| id).chain(gone).collect();
    let kept = old.into_iter().filter(|(id, _)| !replaced.contains(id));
    kept.chain(changed.iter().cloned()).collect()
}

/// What `meta` describes as far as its full records tell it: without `all`. `since`: how long ago it
/// was published.
pub(super) fn recorded(meta: &Meta, fulls: Option<Fulls>, since: Duration) -> Snapshot {
    Snapshot {
        rev: meta.rev.clone(),
        index: meta.index,
        newest: meta.index,
        count: meta.count,
        all: AllJson::default(),
        fulls,
        age: Duration::from_millis(meta.lag_ms).saturating_add(since),
        since,
    }
}

#[cfg(test)]
mod tests {
    use super::{Fields, counted, matched, merged, records_of, seal, unseal};
    use crate::model::node::{Fulls, NodeId};

    const A: &str = "6f1c36aa-0000-4000-8000-00000000000a";
    const B: &str = "6f1c36aa-0000-4000-8000-00000000000b";

    fn record(id: &str) -> String {
        format!(r#"{{"id":"{id}","modify_index":1}}"#)
    }

    fn full(id: &str) -> Vec<u8> {
        format!(r#"{{"id":"{id}","modify_index":1,"attributes":{{}}}}"#).into_bytes()
    }

    fn fields(of: &[(&str, &str)]) -> Fields {
        of.iter().map(|(field, id)| (field.as_bytes().to_vec(), seal(&full(id)))).collect()
    }

    fn all(of: &[&str]) -> Vec<u8> {
        format!("[{}]", of.iter().map(|id| record(id)).collect::<Vec<_>>().join(",")).into_bytes()
    }

    #[test]
    fn a_seal_covers_every_byte() {
        let sealed = seal(br#"{"id":"x"}"#);
        assert_eq!(
            String::from_utf8(sealed.clone()).unwrap(),
            r#"{"id":"x","sum":"9993ec27a8035631"}"#
        );
        assert_eq!(unseal(sealed.clone()).unwrap(), br#"{"id":"x"}"#);
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert_eq!(unseal(damaged), None, "{at}");
            assert_eq!(unseal(sealed[..at].to_vec()), None, "{at}");
        }
    }

    #[test]
    fn only_the_very_records_pass() {
        let good = fields(&[(B, B), (A, A)]);
        let ids = |fulls: Fulls| fulls.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>();
        assert_eq!(
            ids(matched(&all(&[A, B]), good.clone()).unwrap()),
            [A, B],
            "in the list's order"
        );
        assert_eq!(matched(&all(&[A]), good.clone()), None, "one too many");
        assert_eq!(matched(&all(&[A, B]), good[..1].to_vec()), None, "one is missing");
        assert_eq!(matched(&all(&[A, B]), fields(&[(A, B), (B, A)])), None, "exchanged");
        let mut edited = good.clone();
        edited[0].1[42] ^= 1;
        assert_eq!(matched(&all(&[A, B]), edited), None, "damaged");
        let newer = String::from_utf8(all(&[A, B])).unwrap().replace(":1}", ":2}");
        assert_eq!(matched(newer.as_bytes(), good), None, "of another list");
        let upper = A.to_uppercase();
        assert_eq!(matched(&all(&[&upper]), fields(&[(&upper, &upper)])), None);
    }

    #[test]
    fn without_a_list_their_number_and_their_names_count() {
        let good = fields(&[(A, A), (B, B)]);
        assert_eq!(counted(2, good.clone()).unwrap().len(), 2);
        assert_eq!(counted(1, good.clone()), None);
        assert_eq!(counted(2, fields(&[(A, B), (B, A)])), None);
        let fulls = counted(2, good).unwrap();
        assert_eq!(*records_of(&fulls), all(&[A, B]));
    }

    #[test]
    fn a_delta_is_merged() {
        let fulls = counted(2, fields(&[(A, A), (B, B)])).unwrap();
        let (a, b) = (NodeId::parse(A).unwrap(), NodeId::parse(B).unwrap());
        let newer: Fulls = vec![(b, b"{}".to_vec().into())];
        assert_eq!(merged(fulls.clone(), &[a], &newer), newer);
        assert_eq!(merged(fulls.clone(), &[], &newer)[..], [fulls[0].clone(), newer[0].clone()]);
    }
}
