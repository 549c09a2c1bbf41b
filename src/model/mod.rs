//! Facts and rules; never reads, writes, waits or asks the time.

mod decoded;
pub(crate) mod format;
pub mod json;
pub mod live;
pub mod mask;
pub mod node;
pub mod notice;
mod partial;
pub mod projection;
#[cfg(any(test, fuzzing))]
#[path = "../../tests/fuzz/properties/model.rs"]
pub(crate) mod properties;
pub mod rows;
pub mod secret;
pub mod selection;
pub mod snapshot;
pub mod table_record;
pub mod text;
pub mod work_limit;
