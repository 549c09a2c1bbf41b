//! Facts and rules; never reads, writes, waits or asks the time.

pub(crate) mod client_key;
pub mod columns;
pub mod condition;
pub mod diff;
pub mod field;
pub(crate) mod figures;
pub mod find;
pub mod json;
pub mod live;
pub mod mask;
pub mod natural;
pub mod node;
pub(crate) mod parallel;
pub mod pattern;
pub mod pick;
mod picking;
#[cfg(any(test, fuzzing))]
#[path = "../../tests/fuzz/properties/model.rs"]
pub(crate) mod properties;
mod reading;
pub mod remark;
pub mod rows;
pub mod secret;
pub mod selection;
pub mod snapshot;
pub mod text;
pub(crate) mod tls;
pub mod value;
pub mod version;
pub mod view;
pub mod work;
