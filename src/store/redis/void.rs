//! VOID, and what holds on this host where Redis can't be told.

use std::time::Duration;

use crate::store::{Error, Lease};

use super::fill::ENTER;
use super::{RedisStore, Step};

const VOID_LUA: &str = include_str!("scripts/void.lua");
const VOID: Step = Step { name: "EVAL void", ..ENTER };

impl RedisStore {
    /// `own`: its lease stays, so that those who wait for it can be told. Where nothing can be
    /// deleted, this host ignores what is there.
    pub(super) fn void_scope(&self, own: Option<&Lease>) -> Result<(), Error> {
        let mut eval = self.eval(VOID_LUA, 10);
        eval.arg(self.scope.as_str()).arg(own.map_or("", |own| &own.token));
        let voided = self.number(VOID, &eval).map(drop);
        let Err(error) = &voided else { return Ok(()) };
        if !self.refused.note() {
            return voided;
        }
        self.tell.verbose(format!(
            "cannot drop what is cached for this token in redis ({error}): ignored on this machine from now on"
        ));
        Ok(())
    }

    /// Whether Nomad has refused this token after that: such a list is not shown.
    pub(super) fn is_of_before_refusal(&self, age: Duration) -> bool {
        let is_refused = self.refused.covers(age);
        if is_refused {
            self.ignored("Nomad has refused this token since");
        }
        is_refused
    }
}
