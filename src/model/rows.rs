//! Records in the product's order, as the bytes that are cached and printed.

use super::natural;
use super::node::{Full, NodeId};

/// The two forms of the same nodes, both in the product's order: by name (natural), then by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    /// JSON array of records.
    pub all: Vec<u8>,
    /// Full records as JSON.
    pub fulls: Vec<(NodeId, Vec<u8>)>,
}

impl Rows {
    pub fn of(mut nodes: Vec<Full>) -> Self {
        nodes.sort_by(|a, b| {
            natural::compare(&a.record.name, &b.record.name)
                .then_with(|| a.record.id.cmp(&b.record.id))
        });
        let mut all = vec![b'['];
        let mut fulls = Vec::with_capacity(nodes.len());
        for node in nodes {
            let (record, full) = node.to_json();
            if all.len() > 1 {
                all.push(b',');
            }
            all.extend_from_slice(&record);
            fulls.push((node.record.id, full));
        }
        all.push(b']');
        Self { all, fulls }
    }
}
