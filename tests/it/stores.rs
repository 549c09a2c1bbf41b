//! Every kind of store keeps the same promises, and a Redis that misbehaves harms nobody.

mod auto;
mod contract;
mod in_process;
mod redis_chaos;
mod redis_copies;
mod redis_faults;
mod redis_kept;
mod redis_patience;
mod redis_rights;
mod redis_tls;
mod redis_traffic;
mod refused;
mod rolled_back;

use crate::support::bench::{Bench, OracleBench, RedisBench};
use crate::support::local_bench::LocalBench;
use crate::support::process_bench::ProcessBench;

/// Where a scene can't happen, and why. Everything else must happen for every store.
const CANNOT_HAPPEN: &[(&str, &str, &str)] = &[
    ("oracle", "age_is_never_too_low", "a look reads everything under one lock"),
    ("local", "age_is_never_too_low", "the age stands in the file that holds the bytes"),
    ("local", "all_without_expiry_is_no_hit", "files have no expiry but their header's"),
    ("local", "a_rolled_back_epoch_is_cleared_again", "no server to go back in time"),
    ("local", "an_endless_lease_is_taken", "the kernel frees the lock of a process that ends"),
    ("local", "delta_needs_the_rev", "there are no deltas"),
    ("local", "older_then_delta", "there are no deltas"),
    ("local", "delta_of_nothing", "the full records do not expire before the header"),
    ("local", "no_floor_over_an_orphan_hash", "only a header names the full records"),
    ("local", "foreign_exchange_is_noticed", "a record's line has no name but its own"),
    ("local", "a_spoilt_copy_is_no_base", "there is one file of records"),
    ("local", "a_spoilt_copy_is_not_published", "there is one file of records"),
    ("local", "without_its_full_records_it_is_no_base", "there is one file of records"),
    ("local", "it_ends_when_its_list_is_as_old_as_details_may_be", "there is one file of records"),
    ("local", "what_is_not_kept_any_more_is_not_published_unasked", "there is one file of records"),
    ("local", "it_ends_with_its_publication", "there is one file of records"),
    ("local", "what_has_expired_is_a_miss", "nothing is evicted"),
    ("local", "without_expiry_or_of_another_length_it_is_refused", "files have no expiry"),
    ("local", "a_copy_of_an_older_list_is_nothing", "there is no other host"),
    ("in process", "a_spoilt_copy_is_no_base", "there are no copies"),
    ("in process", "a_spoilt_copy_is_not_published", "there are no copies"),
    ("in process", "without_its_full_records_it_is_no_base", "nothing is evicted"),
    ("in process", "it_ends_when_its_list_is_as_old_as_details_may_be", "there are no copies"),
    ("in process", "what_is_not_kept_any_more_is_not_published_unasked", "there are no copies"),
    ("in process", "it_ends_with_its_publication", "there are no copies"),
    ("in process", "what_has_expired_is_a_miss", "nothing is evicted"),
    ("in process", "without_expiry_or_of_another_length_it_is_refused", "nobody else writes there"),
    ("in process", "a_copy_of_an_older_list_is_nothing", "there is no other host"),
    ("in process", "delta_needs_the_rev", "nothing is evicted"),
    ("in process", "delta_needs_the_count", "nothing is evicted"),
    ("in process", "older_then_delta", "nothing is evicted"),
    ("in process", "no_floor_over_an_orphan_hash", "nothing is evicted"),
    ("in process", "without_its_records_it_is_refused", "nothing is evicted"),
    ("in process", "an_evicted_epoch_voids_everything", "nothing is evicted"),
    ("in process", "delta_of_nothing", "the details end with their publication"),
    ("in process", "a_spoilt_epoch_heals", "there is no epoch"),
    ("in process", "a_partial_publication_ends_with_its_epoch", "there is no epoch"),
    ("in process", "an_endless_lease_is_taken", "nobody else writes there"),
    ("in process", "foreign_edit_is_noticed", "nobody else writes there"),
    ("in process", "foreign_exchange_is_noticed", "nobody else writes there"),
    ("in process", "a_record_without_its_sum_is_noticed", "nobody else writes there"),
    ("in process", "a_record_of_another_list_is_noticed", "nobody else writes there"),
    ("in process", "all_without_expiry_is_no_hit", "nobody else writes there"),
    ("in process", "a_rolled_back_epoch_is_cleared_again", "no server to go back in time"),
    ("in process", "age_is_never_too_low", "a look reads everything under one lock"),
    ("in process", "clear_beats_a_flight_of_another_scope", "a process has one scope"),
];

fn check(kind: &str, bench: &dyn Bench, name: &str, scene: Scene) {
    let excepted = CANNOT_HAPPEN.iter().any(|(store, scene, _)| (*store, *scene) == (kind, name));
    assert_eq!(scene(bench).is_none(), excepted, "whether it can happen to {kind}");
}

pub(crate) type Scene = fn(&dyn Bench) -> Option<()>;

/// One test for each scene and each store.
macro_rules! scenes {
    ($($group:ident: $($name:ident)*;)*) => {
        mod oracle {
            $($(#[test] fn $name() {
                super::check("oracle", &super::OracleBench::new(), stringify!($name), super::contract::$group::$name);
            })*)*
        }
        mod local {
            $($(#[test] fn $name() {
                super::check("local", &super::LocalBench::new(), stringify!($name), super::contract::$group::$name);
            })*)*
        }
        mod of_one_process {
            $($(#[test] fn $name() {
                super::check("in process", &super::ProcessBench::default(), stringify!($name), super::contract::$group::$name);
            })*)*
        }
        mod redis {
            $($(#[test] fn $name() {
                super::check("redis", &super::RedisBench::new(), stringify!($name), super::contract::$group::$name);
            })*)*
        }
        /// All scenes by name, for those who break a rule on purpose.
        pub(crate) const SCENES: &[(&str, Scene)] =
            &[$($((stringify!($name), contract::$group::$name)),*),*];

        /// No exception for a scene that is not there.
        #[test]
        fn exceptions_name_scenes() {
            for (_, scene, _) in CANNOT_HAPPEN {
                assert!(SCENES.iter().any(|(name, _)| name == scene), "{scene}");
            }
        }
    };
}

scenes! {
    publishing:
        delta_needs_the_rev
        delta_needs_the_count
        delta_needs_the_lease
        delta_removes_the_gone
        whole_replaces
        delta_of_nothing
        rebase_changes_nothing
        older_then_delta
        floor_keeps_the_base
        floor_refuses_the_older
        no_floor_over_an_orphan_hash
        base_is_verified
        partial_serves_waiters_only
        a_partial_publication_ends_with_its_epoch;
    kept:
        what_is_kept_is_published_with_a_new_rev
        after_a_change_only_the_new_is_kept
        a_node_that_comes_and_goes_leaves_nothing
        without_its_records_it_is_refused
        a_clear_fences_what_is_kept
        a_newer_one_fences_what_is_kept
        a_spoilt_copy_is_no_base
        a_spoilt_copy_is_not_published
        without_its_full_records_it_is_no_base
        it_ends_when_its_list_is_as_old_as_details_may_be
        what_is_not_kept_any_more_is_not_published_unasked
        it_ends_with_its_publication;
    copied:
        what_has_expired_is_a_miss
        without_expiry_or_of_another_length_it_is_refused
        a_copy_of_an_older_list_is_nothing;
    leases:
        one_publication_per_lease
        refresh_and_two_forces
        lease_ends_with_its_publication
        failure_is_for_waiters
        a_lost_lease_is_not_renewed
        a_released_lease_is_free
        an_endless_lease_is_taken
        a_refused_credential_voids_its_scope_only
        a_refused_flight_is_told_to_those_who_wait
        clear_beats_a_flight
        clear_beats_a_flight_of_another_scope;
    looking:
        foreign_edit_is_noticed
        foreign_exchange_is_noticed
        a_record_without_its_sum_is_noticed
        a_record_of_another_list_is_noticed
        a_spoilt_epoch_heals
        an_evicted_epoch_voids_everything
        two_scopes_side_by_side
        a_rolled_back_epoch_is_cleared_again
        the_way_counts_as_age
        age_is_never_too_low
        all_without_expiry_is_no_hit;
}
