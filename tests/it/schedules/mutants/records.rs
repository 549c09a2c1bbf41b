//! Rules of records that are broken: of full ones, of what Redis keeps of them, and of hosts' copies.

use super::super::broken::Client;
use super::{By, MANY, Mutant, client, script};

const GOES_BACK: By = By::Scene("run_a_cache_that_goes_back_shows_nothing_older");
const KEPT_ENDS: By = By::Scene("it_ends_with_its_publication");
const COPY: &str = "  elseif how == 'new' then\n";

pub(super) const RECORDS: &[Mutant] = &[
    script(
        "a change leaves the older copy",
        &[("PUBLISH", COPY, "  elseif false then\n")],
        By::Scene("after_a_change_only_the_new_is_kept"),
    ),
    client(
        "kept: sum not compared with the meta line",
        Client::TrustsKept,
        By::Scene("a_spoilt_copy_is_no_base"),
    ),
    client(
        "kept: copied though the base came from elsewhere",
        Client::CopiesAnyBase,
        By::Scene("a_spoilt_copy_is_not_published"),
    ),
    script(
        "base: HLEN not compared with the count",
        &[("ENTER", "type(fields) == 'number' and fields or -1", "meta and meta.count or 0")],
        By::Scene("without_its_full_records_it_is_no_base"),
    ),
    client(
        "base: meta line not read again behind the hash",
        Client::TrustsHash,
        By::Scene("base_is_verified"),
    ),
    script(
        "probed: renews the life of kept",
        &[(
            "PUBLISH",
            "elseif how == 'same' then redis.call",
            "elseif how ~= 'new' then redis.call",
        )],
        By::Scene("it_ends_when_its_list_is_as_old_as_details_may_be"),
    ),
    script(
        "same: the life of kept is not renewed",
        &[("PUBLISH", "elseif how == 'same' then redis.call", "elseif false then redis.call")],
        By::Scene("it_ends_when_its_list_is_as_old_as_details_may_be"),
    ),
    script(
        "probed: works without kept",
        &[("PUBLISH", "if how ~= 'new' and redis.pcall", "if how == 'same' and redis.pcall")],
        By::Scene("what_is_not_kept_any_more_is_not_published_unasked"),
    ),
    client("kept: a clear leaves it", Client::ClearsNotKept, KEPT_ENDS),
    script(
        "kept: VOID leaves it",
        &[("VOID", "KEYS[f[3]], KEYS[f[4]])", "KEYS[f[3]])")],
        KEPT_ENDS,
    ),
    script(
        "kept: a partial publication leaves it",
        &[("PUBLISH", "if partial then redis.call('DEL', K)", "if partial then")],
        KEPT_ENDS,
    ),
    script(
        "kept: a fenced reset leaves it",
        &[("PUBLISH", "redis.call('DEL', M, H, K, KEYS[2])", "redis.call('DEL', M, H, KEYS[2])")],
        KEPT_ENDS,
    ),
    Mutant {
        name: "gone ids computed from an older copy",
        edits: &[(
            "PUBLISH",
            COPY,
            "  elseif how == 'new' then redis.call('SET', K, all, 'NX')\n  elseif false then\n",
        )],
        client: Client::TrustsKept,
        by: By::Scene("a_node_that_comes_and_goes_leaves_nothing"),
    },
    client("HGETALL not verified", Client::Unverified, MANY),
    client(
        "HGETALL: ids not compared",
        Client::IdsNotCompared,
        By::Scene("foreign_exchange_is_noticed"),
    ),
    client(
        "HGETALL verified by count only",
        Client::OnlyCounted,
        By::Scene("foreign_edit_is_noticed"),
    ),
    client(
        "HGETALL: seal not checked",
        Client::SealNotChecked,
        By::Scene("a_record_without_its_sum_is_noticed"),
    ),
    client(
        "HGETALL: record not compared with the list",
        Client::PrefixNotCompared,
        By::Scene("a_record_of_another_list_is_noticed"),
    ),
    Mutant {
        name: "partial writes all",
        edits: &[(
            "PUBLISH",
            "  if partial then\n    redis.call('DEL', A)\n",
            "  if partial then\n",
        )],
        client: Client::PartialWithAll,
        by: MANY,
    },
    client("partial published as complete", Client::PartialAsComplete, MANY),
    client("partial records count as details", Client::InventsDetails, MANY),
    client(
        "refresh takes an older partial",
        Client::TakesOlderPartial,
        By::Scene("run_refresh_refuses_an_older_partial"),
    ),
];

pub(super) const COPIES: &[Mutant] = &[
    client(
        "copy: length and sum not compared with LOOK's",
        Client::TrustsAnyCopy,
        By::Scene("a_copy_of_an_older_list_is_nothing"),
    ),
    client("copy: own sum not checked", Client::TrustsSpoiltCopy, MANY),
    client(
        "copy: gone ids computed from an older one",
        Client::TrustsCopiedBase,
        By::Scene("a_copy_of_an_older_list_is_nothing"),
    ),
    client(
        "LOOK: length not compared",
        Client::IgnoresLength,
        By::Scene("without_expiry_or_of_another_length_it_is_refused"),
    ),
    client(
        "LOOK: PTTL -1 is taken without the bytes",
        Client::IgnoresEndless,
        By::Scene("without_expiry_or_of_another_length_it_is_refused"),
    ),
    client(
        "LOOK: PTTL -2 is taken without the bytes",
        Client::IgnoresExpiry,
        By::Scene("what_has_expired_is_a_miss"),
    ),
    client("host: a hit below what was shown is served", Client::IgnoresShown, GOES_BACK),
    client("host: what was shown is not noted", Client::NotesNothing, GOES_BACK),
    client(
        "host: the fallback's snapshot below what was shown is served",
        Client::ForgetsShown,
        By::Scene("run_the_fallback_shows_nothing_older"),
    ),
    client(
        "host: the note is lowered by one list",
        Client::ListsOnce,
        By::Scene("run_two_lists_lower_what_was_shown"),
    ),
];
