//! Lists the client nodes of a Nomad cluster from a cache that is always right.
pub mod clock;
pub mod discovery;
pub mod model;
pub mod nomad;
mod random;
pub mod store;
