//! What every store promises: the protocol's exact scenes, a handful of steps and one promise each.
//!
//! A scene ends early with `None` where a step can't happen to that kind of store.

pub(crate) mod copied;
pub(crate) mod kept;
pub(crate) mod leases;
pub(crate) mod looking;
pub(crate) mod publishing;

use std::time::Duration;

use nomad_clients::store::meta::Meta;
use nomad_clients::store::{Entered, RefusedRevs};

use crate::support::bench::Bench;
use crate::support::process::{Records, X, Y, records};

pub(super) const A: &str = "a0";
pub(super) const B: &str = "b1";
pub(super) const PAUSE: Duration = Duration::from_millis(30);

pub(super) fn xy() -> Records {
    records(&[(X, 3), (Y, 5)])
}

/// X has changed.
pub(super) fn x2y() -> Records {
    records(&[(X, 9), (Y, 5)])
}

pub(super) fn x() -> Records {
    records(&[(X, 3)])
}

pub(super) fn meta(bench: &dyn Bench) -> Option<Meta> {
    Meta::parse(&bench.meta()?)
}

pub(super) fn revs(of: &[&str]) -> RefusedRevs {
    RefusedRevs::Revs(of.iter().map(|rev| (*rev).to_owned()).collect())
}

pub(super) fn is_own(entered: &Entered) -> bool {
    matches!(entered, Entered::Own(flight) if !flight.lease().is_solo())
}
