//! Random names: epochs, and the tokens of flights.

use super::{Error, Kind};

/// 16 random hex digits.
pub fn fresh() -> Result<String, Error> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|why| Error {
        kind: Kind::Unavailable,
        what: format!("no random numbers: {why}"),
    })?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}
