//! Which nodes must be asked for again.

use super::node::{Record, Stub};

/// Whether the details behind `record` are still those of the node that `stub` names.
///
/// Both indexes are compared with equality because they go back when Nomad's state is restored.
/// The names besides catch a rebuilt cluster whose indexes happen to agree.
pub fn is_unchanged(record: &Record, stub: &Stub) -> bool {
    record.id == stub.id
        && record.modify_index == stub.modify_index
        && record.create_index == stub.create_index
        && record.name == stub.name
        && record.datacenter == stub.datacenter
        && record.node_class == stub.node_class
        && record.node_pool == stub.node_pool
        && record.address == stub.address
        && record.version == stub.version
}

/// Whether `record` says what `stub` says, of everything that changes while a node lives.
pub fn has_same_state(record: &Record, stub: &Stub) -> bool {
    record.status == stub.status
        && record.status_description == stub.status_description
        && record.eligibility == stub.eligibility
        && record.drain == stub.drain
        && record.drivers == stub.drivers
        && record.last_drain == stub.last_drain
}
