"""The ring of any threads: lock-free, and Vyukov's."""

from mutants.mutant import Mutant

RING = "queues/fp_mpmc_lockfree.c"
VYUKOV = "queues/fp_mpmc_vyukov.c"

MUTANTS = [
    # The ring.
    Mutant(
        "ring: a lagging tail is not helped",
        RING,
        "*t = fp__mpmc_next(r, last_put(r, index, position)); /* the hint lagged */",
        "return FP_FULL;",
    ),
    Mutant(
        "ring: a lagging head is not helped",
        RING,
        "*h = fp__mpmc_next(r, last_taken(r, index, position)); /* the hint lagged */",
        "return FP_EMPTY;",
    ),
    Mutant(
        "ring: the walk trusts the hint by one",
        RING,
        "*t = fp__mpmc_next(r, last_put(r, index, position)); /* the hint lagged */",
        "*t = fp__mpmc_next(r, fp__mpmc_next(r, last_put(r, index, position)));",
    ),
    Mutant(
        "ring: a put overlooks the closed bit",
        RING,
        "if (stamp & FP_MPMC_CLOSED)\n                return FP_CLOSED;",
        ";",
    ),
    Mutant(
        "ring: a full ring does not say closed",
        RING,
        "return stamp & FP_MPMC_CLOSED ? FP_CLOSED : FP_FULL;",
        "return FP_FULL;",
    ),
    Mutant(
        "ring: a get drops the closed bit",
        RING,
        "fp__mpmc_lap_after(r, *h) | closed))",
        "fp__mpmc_lap_after(r, *h)))",
    ),
    Mutant(
        "ring: the value is read after the get",
        RING,
        "*item = value;",
        "*item = fp_u64_load_relaxed(&slot->value);",
    ),
    Mutant("ring: a get does not notify", RING, "fp_event_notify(&r->not_full);\n", ";\n"),
    Mutant("ring: a put does not notify", RING, "fp_event_notify(&r->not_empty);\n", ";\n"),
    Mutant(
        "ring: the notification comes before the put",
        RING,
        "uint64_t t = fp_u64_load_acquire(&r->tail);\n    enum fp_status s = FP_OK;\n    *n = 0;",
        "uint64_t t = fp_u64_load_acquire(&r->tail);\n    enum fp_status s = FP_OK;\n    *n = 0;\n"
        "    fp_event_notify(&r->not_empty);\n#define fp_event_notify(e) ((void)0)",
    ),
    Mutant(
        "ring: the hint runs ahead by one",
        RING,
        "fp_u64_store_release(&r->tail, t); /* a hint */",
        "fp_u64_store_release(&r->tail, fp__mpmc_next(r, t));",
    ),
    Mutant(
        "ring: closing does not wake consumers", RING, "fp_event_notify_all(&r->not_empty);", ";"
    ),
    Mutant(
        "ring: closing wakes one producer only",
        RING,
        "fp_event_notify_all(&r->not_full);",
        "fp_event_notify(&r->not_full);",
    ),
    Mutant(
        "ring: a lap is the capacity rounded up",
        "queues/fp_mpmc.c",
        "while (r->lap <= capacity)",
        "while (r->lap < capacity)",
    ),
    Mutant(
        "ring: count reads the head once",
        "queues/fp_mpmc.c",
        "} while (head != before && --attempts > 0);",
        "} while (0);",
    ),
    Mutant(
        "ring: positions are not cut at 63 bits",
        "queues/fp_mpmc_internal.h",
        "return next & FP_MPMC_POSITION;",
        "return next;",
    ),
    Mutant(
        "ring: the stamp is replaced without the value",
        RING,
        "if (FP_LIKELY(fp_pair_cas_seq_cst(slot, stale, stamp, item, *t + 1))) {",
        "(void)stale;\n            fp_u64_store_relaxed(&slot->value, item);\n"
        "            if (fp_u64_cas_seq_cst(&slot->stamp, &stamp, *t + 1)) {",
    ),
    # The fallback.
    Mutant(
        "fallback: full without a look at the head",
        VYUKOV,
        "if (fp_u64_load_seq_cst(&r->head) == fp__mpmc_lap_before(r, t))\n",
        "",
        ("explore-vyukov", "vyukov"),
    ),
    Mutant(
        "fallback: empty without a look at the tail",
        VYUKOV,
        "if ((t & FP_MPMC_POSITION) == h)\n",
        "\n",
        ("explore-vyukov", "vyukov"),
    ),
    Mutant(
        "fallback: the stamp is stored before the value",
        VYUKOV,
        "fp_u64_store_relaxed(&slot->value, item);",
        "fp_u64_store_release(&slot->stamp, stamp + 1);\n"
        "    fp_u64_store_relaxed(&slot->value, item);",
        ("explore-vyukov", "vyukov"),
    ),
    Mutant(
        "fallback: the slot is handed on before it was read",
        VYUKOV,
        "*item = fp_u64_load_relaxed(&slot->value);\n",
        "fp_u64_store_release(&slot->stamp, fp__mpmc_lap_after(r, stamp - 1));\n"
        "    *item = fp_u64_load_relaxed(&slot->value);\n",
        ("explore-vyukov", "vyukov"),
    ),
    Mutant(
        "fallback: a put does not look for closed",
        VYUKOV,
        "if (t & FP_MPMC_CLOSED)\n            return FP_CLOSED;",
        "",
        ("explore-vyukov", "vyukov"),
    ),
    Mutant(
        "fallback: a put does not notify",
        VYUKOV,
        "fp_event_notify(&r->not_empty);",
        ";",
        ("explore-vyukov", "vyukov"),
    ),
    Mutant(
        "fallback: a get does not notify",
        VYUKOV,
        "fp_event_notify(&r->not_full);",
        ";",
        ("explore-vyukov", "vyukov"),
    ),
]
