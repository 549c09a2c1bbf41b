//! Facts and rules; never reads, writes, waits or asks the time.

pub mod diff;
pub mod json;
pub mod natural;
pub mod node;
pub mod pick;
pub mod remark;
pub mod rows;
pub mod secret;
pub mod snapshot;
pub mod text;
