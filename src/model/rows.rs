//! Records in the product's order, as the bytes that are cached and printed.

use std::sync::Arc;

use super::diff::{has_same_state, is_unchanged};
use super::node::{Full, FullJson, Fulls, NodeId, Record, Stub};
use super::projection::Wanted;
use super::selection::natural;

/// The two forms of the same nodes, both in the product's order: by name (natural), then by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    /// JSON array of records.
    pub all: Vec<u8>,
    /// Full records as JSON.
    pub fulls: Fulls,
}

/// One node, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    id: NodeId,
    name: String,
    /// The record is `full` up to here, and a brace.
    end: usize,
    full: FullJson,
}

impl NodeRow {
    pub fn of(node: Full) -> Self {
        let (full, end) = node.to_json();
        Self { id: node.record.id, name: node.record.name, end, full: full.into() }
    }

    /// The cached bytes of a full record with details, if they say of the node what `stub` says:
    /// then neither need be written again, which is most of what a refresh costs otherwise.
    pub fn reused(json: &FullJson, stub: &Stub) -> Option<Self> {
        let Stub { create_index, modify_index, .. } = stub;
        // The end of a record; no other object has numbers under these names.
        let end = format!(r#","create_index":{create_index},"modify_index":{modify_index}"#);
        let end = std::str::from_utf8(json).ok()?.find(&end)? + end.len();
        let (record, rest) = json.split_at(end);
        let has_details = rest.starts_with(br#","attributes":{"#);
        let read: Record = serde_json::from_slice(&[record, b"}"].concat()).ok()?;
        let same = has_details && is_unchanged(&read, stub) && has_same_state(&read, stub);
        let volumes = Wanted::keys(&["host_volumes"]).extra(json).ok()?.host_volumes;
        let same = same && volumes.as_ref() == Some(&stub.host_volumes);
        same.then(|| Self { id: read.id, name: read.name, end, full: Arc::clone(json) })
    }

    pub fn id(&self) -> &NodeId {
        &self.id
    }
}

impl Rows {
    pub fn of(nodes: Vec<Full>) -> Self {
        Self::ordered(nodes.into_iter().map(NodeRow::of).collect())
    }

    pub fn ordered(mut rows: Vec<NodeRow>) -> Self {
        rows.sort_by(|a, b| natural::compare(&a.name, &b.name).then_with(|| a.id.cmp(&b.id)));
        let size = rows.iter().map(|row| row.end + 2).sum::<usize>() + 2;
        let mut all = Vec::with_capacity(size);
        all.push(b'[');
        let mut fulls = Vec::with_capacity(rows.len());
        for NodeRow { id, end, full, .. } in rows {
            if all.len() > 1 {
                all.push(b',');
            }
            all.extend_from_slice(&full[..end]);
            all.push(b'}');
            fulls.push((id, full));
        }
        all.push(b']');
        Self { all, fulls }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::NodeRow;
    use crate::model::node::{
        Facts, Full, HostVolume, LastDrain, Reserved, Resources, Stub, TextMap,
    };

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

    fn full(stub: &Stub) -> Full {
        Full::new(stub, Some(facts()))
    }

    #[test]
    fn what_is_kept_is_what_would_be_made() {
        let made = NodeRow::of(full(&stub()));
        assert_eq!(NodeRow::reused(&made.full, &stub()), Some(made));
    }

    /// Whatever the stub says otherwise is not kept.
    #[test]
    fn what_the_stub_says_otherwise_is_made_anew() {
        let made = NodeRow::of(full(&stub()));
        let changes: [fn(&mut Stub); 9] = [
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
            |stub| {
                stub.host_volumes.insert("data".to_owned(), HostVolume::default());
            },
        ];
        for (at, change) in changes.into_iter().enumerate() {
            let mut changed = stub();
            change(&mut changed);
            assert_eq!(NodeRow::reused(&made.full, &changed), None, "{at}");
        }
        let bare = NodeRow::of(Full::new(&stub(), None));
        assert_eq!(NodeRow::reused(&bare.full, &stub()), None, "without details");
        for junk in
            [&b""[..], b"{}", b"null", &made.full[..made.full.len() / 2], &made.full[..made.end]]
        {
            assert_eq!(NodeRow::reused(&junk.to_vec().into(), &stub()), None);
        }
    }
}
