"""Memory orders that ThreadSanitizer sees: what carries the payload from thread to thread."""

from mutants.mutant import Mutant

SEGQ = "queues/fp_segq.c"
SPSC = "queues/fp_spsc.c"
EPOCH = "reclaim/fp_epoch.c"

MUTANTS = [
    Mutant(
        "order: the SPSC tail is published relaxed",
        SPSC,
        "    fp_u64_store_light(&r->tail, tail, light);\n",
        "    fp_u64_store_relaxed(&r->tail, tail);\n",
        ("tsan",),
    ),
    Mutant(
        "order: the SPSC consumer reads the tail relaxed",
        SPSC,
        "uint64_t tail = fp_u64_load_seq_cst(&r->tail);",
        "uint64_t tail = fp_u64_load_relaxed(&r->tail);",
        ("tsan",),
    ),
    Mutant(
        "order: the SPSC head is published relaxed",
        SPSC,
        "    fp_u64_store_light(&r->head, head, light);\n",
        "    fp_u64_store_relaxed(&r->head, head);\n",
        ("tsan",),
    ),
    Mutant(
        "order: the SPSC producer reads the head relaxed",
        SPSC,
        "r->head_seen = fp_u64_load_seq_cst(&r->head);",
        "r->head_seen = fp_u64_load_relaxed(&r->head);",
        ("tsan",),
    ),
    Mutant(
        "order: a light store is relaxed",
        "base/fp_atomic.h",
        "        fp_##name##_store_release(p, v);                                                           \\\n"
        "        atomic_signal_fence",
        "        fp_##name##_store_relaxed(p, v);  \\\n        atomic_signal_fence",
        ("tsan",),
    ),
    Mutant(
        "order: a role is given back relaxed",
        SPSC,
        "fp_u64_cas_seq_cst(role, &owner, 0)",
        "atomic_compare_exchange_strong_explicit(role, &owner, 0, memory_order_relaxed, "
        "memory_order_relaxed)",
        ("tsan",),
    ),
    Mutant(
        "order: a segment is linked relaxed",
        SEGQ,
        "fp_ptr_cas_seq_cst(&s->next, &none, fresh)",
        "atomic_compare_exchange_strong_explicit(&s->next, &none, (void *)fresh, "
        "memory_order_relaxed, memory_order_relaxed)",
        ("tsan",),
    ),
    Mutant(
        "order: a record is disowned relaxed",
        EPOCH,
        "fp_u64_store_release(&r->owned, 0)",
        "fp_u64_store_relaxed(&r->owned, 0)",
        ("tsan",),
    ),
]
