//! The live state: the publication in memory, coalesced requests, following Nomad, events.

pub(crate) mod answers;
pub(crate) mod ask_nomad;
pub(crate) mod changes;
pub(crate) mod coalesce;
pub(crate) mod events;
pub(crate) mod follow;
pub(crate) mod memory_budget;
pub(crate) mod nomad_contact;
pub(crate) mod publication_cache;
pub(crate) mod published;
pub(crate) mod replay;
pub(crate) mod shared_requests;
