"""The channel."""

from mutants.mutant import Mutant

SEGQ = "queues/fp_segq.c"
CHANNEL = "queues/fp_channel.c"

MUTANTS = [
    Mutant(
        "channel: one item too many is dropped",
        SEGQ,
        "get_pinned(q, pin, tail - limit, items",
        "get_pinned(q, pin, tail - limit + 1, items",
    ),
    Mutant(
        "channel: one item too many is left",
        SEGQ,
        "get_pinned(q, pin, tail - limit, items",
        "get_pinned(q, pin, tail - limit - 1, items",
    ),
    Mutant(
        "channel: what is dropped does not depend on the head",
        SEGQ,
        "if (s->base + i >= before)\n                return FP_EMPTY;",
        ";",
    ),
    Mutant(
        "channel: room is made before the put",
        CHANNEL,
        "s = fp_segq_force(&c->q, item);",
        "{\n        uint64_t gone;\n        if (fp_segq_get(&c->q, &gone) == FP_OK)\n"
        "            fp_channel_count_drop(c, FP_DROP_OLDEST, 1);\n        s = fp_segq_force(&c->q, item);\n    }",
    ),
    Mutant("channel: what does not count yet is counted", CHANNEL, "*puts = *gets + limit;", ";"),
    Mutant(
        "channel: drops are not counted",
        CHANNEL,
        "fp_channel_count_drop(c, FP_DROP_OLDEST, n);",
        ";",
    ),
    Mutant(
        "channel: two report at once",
        CHANNEL,
        "return fp_sync_u64_cas_seq_cst(&c->reporter, &owner, me);",
        "fp_sync_u64_store_seq_cst(&c->reporter, me);\n    return true;",
    ),
    Mutant(
        "channel: a drop beside the last report is not told",
        CHANNEL,
        "return untold(c) && fp_segq_is_closed(&c->q);",
        "return false;",
    ),
    Mutant(
        "channel: closing does not hasten the report",
        CHANNEL,
        "            fp_segq_is_closed(&c->q))) {",
        "            false)) {",
    ),
    Mutant(
        "channel: a child waits for its parent's reporter",
        CHANNEL,
        "if (owner != 0 && !fp_thread_lost_by_fork(owner))",
        "if (owner != 0)",
        ("steps",),
    ),
    Mutant(
        "channel: closing leaves the waiters for a token",
        CHANNEL,
        "fp_event_notify_all(&((struct fp_channel *)c)->token_event);",
        ";",
        ("steps",),
    ),
    Mutant(
        "channel: a waiter for a token does not look for the closing",
        CHANNEL,
        "return fp_segq_is_closed(c) ? FP_CLOSED : FP_FULL;",
        "return (void)c, FP_FULL;",
        ("steps",),
    ),
]
