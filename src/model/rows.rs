//! Records in the product's order, as the bytes that are cached and printed.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::json;
use super::node::{DriverHealth, Full, FullJson, Fulls, LastDrain, NodeId, Stub};
use super::selection::natural;

/// The two forms of the same nodes, both in the product's order: by name (natural), then by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    /// JSON array of records.
    pub all: Vec<u8>,
    /// The full records that were made, as JSON: all of them but those of reused records.
    pub fulls: Fulls,
}

/// One node, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow<'a> {
    id: NodeId,
    name: String,
    json: RowJson<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum RowJson<'a> {
    /// A record as it is cached.
    Record(&'a [u8]),
    /// The record is `full` up to `end`, and a brace.
    Full { full: FullJson, end: usize },
}

impl NodeRow<'static> {
    pub fn of(node: Full) -> Self {
        let (full, end) = node.to_json();
        let json = RowJson::Full { full: full.into(), end };
        Self { id: node.record.id, name: node.record.name, json }
    }
}

impl<'a> NodeRow<'a> {
    /// The cached record, if it has details and says of the node what `stub` says: then neither it nor
    /// the full record behind it need be written again. A record has every field of a stub but host
    /// volumes, which never change without the modify index. That is compared with equality, because
    /// it goes back when Nomad's state is restored; the names besides catch a rebuilt cluster whose
    /// indexes happen to agree.
    pub fn reused(record: &'a [u8], stub: &Stub) -> Option<Self> {
        let (start, drivers, end) = stub_json(stub);
        let rest = record.strip_prefix(&start[..])?.strip_suffix(&end[..])?;
        // What stands before the drivers are two texts, in which quotes are escaped, and numbers.
        let at = rest.windows(DRIVERS.len()).position(|window| window == DRIVERS)?;
        let has_details = rest[..at].starts_with(br#","os":""#);
        let meta = rest[at..].strip_prefix(&drivers[..])?.strip_prefix(br#","meta":"#)?;
        let same = has_details && meta.starts_with(b"{");
        same.then(|| Self {
            id: stub.id.clone(),
            name: stub.name.clone(),
            json: RowJson::Record(record),
        })
    }

    pub fn id(&self) -> &NodeId {
        &self.id
    }

    /// The record without its closing brace.
    fn open_record(&self) -> &[u8] {
        match &self.json {
            RowJson::Record(record) => &record[..record.len() - 1],
            RowJson::Full { full, end } => &full[..*end],
        }
    }
}

const DRIVERS: &[u8] = br#","drivers":{"#;

/// What a record of this stub begins with, its drivers, and what it ends with: the same bytes mean the
/// same node, as records are written in one way only.
fn stub_json(stub: &Stub) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    #[derive(Serialize)]
    struct Start<'a> {
        id: &'a NodeId,
        name: &'a str,
        status: &'a str,
        status_description: &'a str,
        eligibility: &'a str,
        drain: bool,
        datacenter: &'a str,
        node_class: &'a str,
        node_pool: &'a str,
        address: &'a str,
        version: &'a str,
    }
    #[derive(Serialize)]
    struct Drivers<'a> {
        drivers: &'a BTreeMap<String, DriverHealth>,
    }
    #[derive(Serialize)]
    struct End<'a> {
        last_drain: &'a Option<LastDrain>,
        create_index: u64,
        modify_index: u64,
    }
    let mut start = json::bytes(&Start {
        id: &stub.id,
        name: &stub.name,
        status: &stub.status,
        status_description: &stub.status_description,
        eligibility: &stub.eligibility,
        drain: stub.drain,
        datacenter: &stub.datacenter,
        node_class: &stub.node_class,
        node_pool: &stub.node_pool,
        address: &stub.address,
        version: &stub.version,
    });
    start.pop();
    let mut drivers = json::bytes(&Drivers { drivers: &stub.drivers });
    drivers[0] = b',';
    drivers.pop();
    let Stub { last_drain, create_index, modify_index, .. } = stub;
    let (create_index, modify_index) = (*create_index, *modify_index);
    let mut end = json::bytes(&End { last_drain, create_index, modify_index });
    end[0] = b',';
    (start, drivers, end)
}

impl Rows {
    pub fn of(nodes: Vec<Full>) -> Self {
        Self::ordered(nodes.into_iter().map(NodeRow::of).collect())
    }

    pub fn ordered(mut rows: Vec<NodeRow<'_>>) -> Self {
        rows.sort_by(|a, b| natural::compare(&a.name, &b.name).then_with(|| a.id.cmp(&b.id)));
        let size = rows.iter().map(|row| row.open_record().len() + 2).sum::<usize>() + 2;
        let mut all = Vec::with_capacity(size);
        all.push(b'[');
        let mut fulls = Vec::new();
        for row in rows {
            if all.len() > 1 {
                all.push(b',');
            }
            all.extend_from_slice(row.open_record());
            all.push(b'}');
            if let RowJson::Full { full, .. } = row.json {
                fulls.push((row.id, full));
            }
        }
        all.push(b']');
        Self { all, fulls }
    }
}

/// How every record and every full record begins; the ID follows.
const START: &str = r#"{"id":""#;
const ID_LEN: usize = 36;
/// The last key of a record; no other object has a number under this name.
const LAST_KEY: &[u8] = br#","modify_index":"#;

/// The ID that a record names; `None` if it is no record of this program.
pub fn id(json: &[u8]) -> Option<&str> {
    let rest = json.strip_prefix(START.as_bytes())?;
    let id = std::str::from_utf8(rest.get(..ID_LEN)?).ok()?;
    (rest.get(ID_LEN) == Some(&b'"')).then_some(id)
}

/// The records of an array with their IDs; `None` if it is none of this program's. What is in a record
/// is not read.
pub fn split(all: &[u8]) -> Option<Vec<(&str, &[u8])>> {
    let inner = std::str::from_utf8(all).ok()?.strip_prefix('[')?.strip_suffix(']')?;
    if inner.is_empty() {
        return Some(Vec::new());
    }
    // Quotes in texts are escaped, and nothing else in a record is an object with an ID.
    let seam = format!("}},{START}");
    let ends = inner.match_indices(&seam).map(|(at, _)| at + 1).chain([inner.len()]);
    let mut from = 0;
    let record = |end: usize| {
        let json = inner.as_bytes().get(std::mem::replace(&mut from, end + 1)..end)?;
        json.ends_with(b"}").then_some((id(json)?, json))
    };
    ends.map(record).collect()
}

/// The record of one node; `None` if it is not among them.
pub fn find<'a>(all: &'a [u8], id: &str) -> Option<&'a [u8]> {
    let all = std::str::from_utf8(all).ok()?;
    // Quotes in texts are escaped, so only a record begins like this.
    let at = all.find(&format!("{START}{id}\""))?;
    let mut records = serde_json::Deserializer::from_str(&all[at..]).into_iter::<&RawValue>();
    Some(records.next()?.ok()?.get().as_bytes())
}

/// The record that a full record begins with.
pub fn record_of(full: &[u8]) -> Vec<u8> {
    let ends = full.windows(LAST_KEY.len()).enumerate().filter(|(_, key)| *key == LAST_KEY);
    let digits = |from: usize| full[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let end = ends
        .map(|(at, _)| (at + LAST_KEY.len(), digits(at + LAST_KEY.len())))
        .find(|(_, digits)| *digits > 0)
        .map_or(full.len().saturating_sub(1), |(from, digits)| from + digits);
    [&full[..end], b"}"].concat()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{NodeRow, RowJson, Rows, find, record_of, split};
    use crate::model::node::{Facts, Full, LastDrain, Reserved, Resources, Stub, TextMap};

    fn stub() -> Stub {
        let id = crate::model::node::NodeId::parse("6f1c36aa-0000-4000-8000-000000000001");
        Stub {
            id: id.unwrap(),
            name: "node-1".to_owned(),
            status: "ready".to_owned(),
            status_description: String::new(),
            eligibility: "eligible".to_owned(),
            drain: false,
            datacenter: "dc1".to_owned(),
            node_class: String::new(),
            node_pool: "default".to_owned(),
            address: "10.0.0.5".to_owned(),
            version: "1.9.3".to_owned(),
            drivers: BTreeMap::new(),
            last_drain: None,
            host_volumes: BTreeMap::new(),
            create_index: 7,
            modify_index: 42,
        }
    }

    fn facts() -> Facts {
        // Names that look like the end of a record.
        let tricky = r#"x","create_index":7,"modify_index":42,"attributes":{"#;
        let meta = [("modify_index", "42"), (tricky, tricky), ("attributes", "1")];
        let texts = |pairs: &[(&str, &str)]| -> TextMap {
            pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
        };
        Facts {
            os: "ubuntu".to_owned(),
            arch: "amd64".to_owned(),
            meta: texts(&meta),
            attributes: texts(&meta),
            resources: Resources::default(),
            reserved: Reserved::default(),
            host_networks: BTreeMap::new(),
        }
    }

    /// The record of a row, as it is cached.
    fn record(row: &NodeRow<'_>) -> Vec<u8> {
        [row.open_record(), b"}"].concat()
    }

    fn full(stub: &Stub) -> Full {
        Full::new(stub, Some(facts()))
    }

    #[test]
    fn what_is_kept_is_what_would_be_made() {
        let made = NodeRow::of(full(&stub()));
        let record = record(&made);
        let reused = NodeRow::reused(&record, &stub()).unwrap();
        assert_eq!(
            Rows::ordered(vec![reused]),
            Rows { fulls: Vec::new(), ..Rows::of(vec![full(&stub())]) }
        );
    }

    #[test]
    fn a_full_record_begins_with_its_record() {
        let row = NodeRow::of(full(&stub()));
        let RowJson::Full { full: json, .. } = &row.json else { panic!() };
        assert_eq!(record_of(json), record(&row));
        let Rows { all, .. } = Rows::of(vec![full(&stub())]);
        let id = stub().id.to_string();
        assert_eq!(split(&all).unwrap(), [(&*id, &*record(&row))]);
        assert_eq!(find(&all, &id), Some(&*record(&row)));
        assert_eq!((find(&all, &id[1..]), find(b"[]", &id)), (None, None));
        for odd in ["", "[", "[5]", r#"[{"name":"x"}]"#, r#"[{"id":"x"}]"#] {
            assert_eq!(split(odd.as_bytes()), None, "{odd}");
        }
        assert_eq!(split(b"[]"), Some(Vec::new()));
    }

    /// Whatever the stub says otherwise is not kept.
    #[test]
    fn what_the_stub_says_otherwise_is_made_anew() {
        let made = record(&NodeRow::of(full(&stub())));
        let changes: [fn(&mut Stub); 8] = [
            |stub| stub.modify_index = 43,
            |stub| stub.create_index = 8,
            |stub| stub.name = "node-2".to_owned(),
            |stub| stub.status = "down".to_owned(),
            |stub| stub.status_description = "x".to_owned(),
            |stub| stub.eligibility = "ineligible".to_owned(),
            |stub| stub.drain = true,
            |stub| {
                let (status, accessor_id) = ("complete".to_owned(), String::new());
                let (started_at, updated_at, meta) = (None, None, TextMap::new());
                stub.last_drain =
                    Some(LastDrain { status, started_at, updated_at, accessor_id, meta });
            },
        ];
        for (at, change) in changes.into_iter().enumerate() {
            let mut changed = stub();
            change(&mut changed);
            assert_eq!(NodeRow::reused(&made, &changed), None, "{at}");
        }
        let bare = record(&NodeRow::of(Full::new(&stub(), None)));
        assert_eq!(NodeRow::reused(&bare, &stub()), None, "without details");
        for junk in [&b""[..], b"{}", b"null", &made[..made.len() / 2], &made[..made.len() - 1]] {
            assert_eq!(NodeRow::reused(junk, &stub()), None);
        }
    }
}
