"""The ring of two threads."""

from mutants.mutant import Mutant

SPSC = "queues/fp_spsc.c"
SEEN_BY_TSAN = ("tsan", "explore")

MUTANTS = [
    Mutant(
        "spsc: a first get does not look again whether it is closed",
        SPSC,
        "    if (!discards(r))\n        return claimed",
        "    if (true)\n        return claimed",
    ),
    Mutant(
        "spsc: the item is written after the tail",
        SPSC,
        "    r->slot[index_of(r, tail)] = item;\n    FP_STEP();\n    return publish_tail(r, next_of(r, tail));",
        "    enum fp_status s = publish_tail(r, next_of(r, tail));\n    FP_STEP();\n"
        "    r->slot[index_of(r, tail)] = item;\n    return s;",
        SEEN_BY_TSAN,
        program="spsc",
        only="spsc",
    ),
    *(
        Mutant(f"spsc: {name}", SPSC, old, new, builds, program="spsc", only="spsc")
        for name, old, new, builds in (
            (
                "room is one too many",
                "tail - r->head_seen == r->lap && is_full(r, tail)",
                "tail - r->head_seen == r->lap + 1 && is_full(r, tail)",
                ("explore", "steps"),
            ),
            (
                "a lap is the capacity",
                "for (r->lap = 1; r->lap < capacity;)",
                "for (r->lap = 1; r->lap * 2 <= capacity;)",
                ("explore", "steps"),
            ),
            (
                "positions between laps are items",
                "(head ^ tail) < r->lap ? tail - head",
                "(head ^ tail) < UINT64_MAX ? tail - head",
                ("explore", "steps"),
            ),
            (
                "putting does not notify",
                "    fp_event_notify_light(&r->not_empty, light);\n",
                "",
                ("explore",),
            ),
            (
                "taking does not notify",
                "    fp_event_notify_light(&r->not_full, light);\n",
                "",
                ("explore",),
            ),
            (
                "a put does not look for the end",
                "if (FP_UNLIKELY(fp_u64_load_light(&r->end, light) != 0))",
                "if (0)",
                ("explore",),
            ),
            (
                "a put looks for the end before its store",
                (
                    "    fp_u64_store_light(&r->tail, tail, light);\n    FP_STEP();\n"
                    "    if (FP_UNLIKELY(fp_u64_load_light(&r->end, light) != 0))"
                ),
                (
                    "    const bool ends = fp_u64_load_light(&r->end, light) != 0;\n"
                    "    fp_u64_store_light(&r->tail, tail, light);\n    FP_STEP();\n"
                    "    if (FP_UNLIKELY(ends))"
                ),
                ("explore",),
            ),
            (
                "a put that meets a closing has failed",
                "if (final_tail(r) < tail)",
                "if (final_tail(r), 1)",
                ("explore",),
            ),
            (
                "a put that meets the end has succeeded",
                "if (final_tail(r) < tail)",
                "if (final_tail(r), 0)",
                ("explore",),
            ),
            (
                "a get does not look for the end",
                "if (FP_LIKELY(fp_u64_load_seq_cst(&r->end) == 0))",
                "(void)closed, (void)final_tail;\n    if (1)",
                ("explore",),
            ),
            (
                "a get looks for the end before the tail",
                "    uint64_t tail = fp_u64_load_seq_cst(&r->tail);\n    FP_STEP();\n",
                (
                    "    if (fp_u64_load_seq_cst(&r->end) != 0)\n        return *closed = true, final_tail(r);\n"
                    "    return fp_u64_load_seq_cst(&r->tail);\n    uint64_t tail = 0;\n"
                ),
                ("explore",),
            ),
            (
                "no fence before the end is decided",
                "        if (r->light)\n            fp_fence_heavy(); /* for the threads that found 0 */\n",
                "",
                ("explore",),
            ),
            (
                "the fence comes after the tail was read",
                (
                    "        if (r->light)\n            fp_fence_heavy(); /* for the threads that found 0 */\n"
                    "        /* Acquire half: pairs with publish_tail, also for threads that load only `end`. */\n"
                    "        uint64_t last = fp_u64_load_seq_cst(&r->tail) | FP_SPSC_CLOSED;\n"
                ),
                (
                    "        uint64_t last = fp_u64_load_seq_cst(&r->tail) | FP_SPSC_CLOSED;\n"
                    "        if (r->light)\n            fp_fence_heavy();\n"
                ),
                ("explore",),
            ),
            (
                "the end is stored over another one",
                (
                    "if (fp_u64_cas_seq_cst(&r->end, &end, last)) /* release half: pairs with the load above */\n"
                    "            end = last;"
                ),
                "fp_u64_store_seq_cst(&r->end, last);\n        end = last;",
                ("explore",),
            ),
            (
                "full before the other side can see it",
                "if (tail - r->head_seen == r->lap && r->light) {",
                "if (0) {",
                ("explore",),
            ),
            (
                "empty before the other side can see it",
                "if (r->tail_seen == head && r->light) {",
                "if (0) {",
                ("explore",),
            ),
            (
                "a count sees more than the other threads",
                "    if (r->light)\n        fp_fence_seq_cst(); /* a caller",
                "    if (0)\n        ; /* a caller",
                ("explore",),
            ),
            (
                "closing does not wake the producer",
                "    fp_event_notify_all(&r->not_full);\n",
                "",
                ("explore",),
            ),
            (
                "closing does not wake the consumer",
                "    fp_event_notify_all(&r->not_empty);\n",
                "",
                ("explore",),
            ),
        )
    ),
]
