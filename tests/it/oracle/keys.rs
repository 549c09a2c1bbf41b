//! The names of the keys.

use nomad_clients::store::scope::Scope;

/// The keys of one scope.
pub(super) struct Keys {
    pub(super) epoch: String,
    pub(super) lease: String,
    /// Belongs to the scope that its meta names.
    pub(super) literal: Family,
    /// Used while the literal family belongs to another scope.
    pub(super) own: Family,
}

#[derive(Clone)]
pub(super) struct Family {
    pub(super) meta: String,
    pub(super) all: String,
    pub(super) hash: String,
    /// A copy of `all` that lives as long as `hash`.
    pub(super) kept: String,
}

impl Family {
    fn new(prefix: &str) -> Self {
        let key = |name: &str| format!("{prefix}:{name}");
        Self { meta: key("meta"), all: key("all"), hash: key("hash"), kept: key("kept") }
    }

    pub(super) fn names(&self) -> [&str; 4] {
        [&self.meta, &self.all, &self.hash, &self.kept]
    }
}

impl Keys {
    pub(super) fn new(prefix: &str, scope: &Scope) -> Self {
        Self {
            epoch: format!("{prefix}:epoch"),
            lease: format!("{prefix}:lease:{scope}"),
            literal: Family::new(prefix),
            own: Family::new(&format!("{prefix}:{scope}")),
        }
    }

    pub(super) fn family(&self, literal: bool) -> &Family {
        if literal { &self.literal } else { &self.own }
    }
}
