//! The names of the keys.

use super::scope::Scope;

/// The prefixes that need an overflow: with a name of one's own nobody else comes. On a Redis Cluster
/// the braces put all keys into one slot.
const SHARED: [&str; 2] = ["nomad:clients", "{nomad:clients}"];

/// The keys of one scope under one prefix.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    pub epoch: String,
    pub lease: String,
    /// Belongs to the scope that its meta names.
    pub literal: Family,
    /// Used while the literal family belongs to another scope.
    pub own: Family,
    /// Which `serve` follows Nomad.
    pub follow: String,
    stats: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Family {
    pub meta: String,
    pub all: String,
    pub hash: String,
    /// A copy of `all` that lives as long as `hash`: what is published when nothing has changed.
    pub kept: String,
}

impl Family {
    fn new(prefix: &str) -> Self {
        let key = |name: &str| format!("{prefix}:{name}");
        Self { meta: key("meta"), all: key("all"), hash: key("hash"), kept: key("kept") }
    }
}

impl Keys {
    pub(super) fn new(prefix: &str, scope: &Scope) -> Self {
        let literal = Family::new(prefix);
        let own = if SHARED.contains(&prefix) {
            Family::new(&format!("{prefix}:{scope}"))
        } else {
            literal.clone()
        };
        Self {
            epoch: format!("{prefix}:epoch"),
            lease: format!("{prefix}:lease:{scope}"),
            literal,
            own,
            follow: format!("{prefix}:follow:{scope}"),
            stats: format!("{prefix}:stats:{scope}:"),
        }
    }

    /// The eight keys of ENTER and the two besides that PUBLISH may write, in the order of the scripts.
    pub(super) fn ten(&self) -> [&str; 10] {
        let Self { epoch, lease, literal, own, .. } = self;
        let Family { meta, all, hash, kept } = literal;
        let [epoch, lease] = [epoch.as_str(), lease];
        [epoch, lease, meta, all, hash, &own.meta, &own.all, &own.hash, kept, &own.kept]
    }

    pub(super) fn family(&self, literal: bool) -> &Family {
        if literal { &self.literal } else { &self.own }
    }

    /// The counters of one minute.
    pub(super) fn minute(&self, minute: u64) -> String {
        format!("{}{minute}", self.stats)
    }
}

#[cfg(test)]
mod tests {
    use super::Keys;
    use crate::store::scope::{Cluster, Scope};

    #[test]
    fn a_name_of_ones_own_has_no_overflow() {
        let scope = Scope::of(&Cluster::default());
        let shared = Keys::new("nomad:clients", &scope);
        assert_eq!(
            shared.ten()[..5],
            [
                "nomad:clients:epoch",
                &format!("nomad:clients:lease:{scope}"),
                "nomad:clients:meta",
                "nomad:clients:all",
                "nomad:clients:hash",
            ]
        );
        assert_eq!(shared.family(false).hash, format!("nomad:clients:{scope}:hash"));
        assert_eq!(shared.minute(7), format!("nomad:clients:stats:{scope}:7"));
        let named = Keys::new("nomad:clients:team", &scope);
        assert_eq!(named.ten()[2..5], named.ten()[5..8]);
        assert_eq!(named.ten()[8..], ["nomad:clients:team:kept"; 2]);
        assert_eq!(named.ten()[3], "nomad:clients:team:all");
    }

    /// A cluster takes a script, or an MGET, only if all of its keys are in one slot: what counts is the
    /// text between the first brace and the next closing one.
    #[test]
    fn a_prefix_with_a_hash_tag_gives_it_to_every_key() {
        let scope = Scope::of(&Cluster::default());
        for (tagged, plain) in
            [("{nomad:clients}", "nomad:clients"), ("{nomad:clients}:team", "nomad:clients:team")]
        {
            let of = |prefix| {
                let keys = Keys::new(prefix, &scope);
                let names = keys.ten().map(str::to_owned).into_iter();
                names.chain([keys.follow.clone(), keys.minute(7)]).collect::<Vec<_>>()
            };
            for (key, untagged) in of(tagged).iter().zip(of(plain)) {
                assert!(key.starts_with("{nomad:clients}:"), "{key}");
                assert_eq!(key.replace(['{', '}'], ""), untagged, "the same names otherwise");
            }
        }
    }
}
