"""Memory orders that x86 gives for free: the models of tests/litmus have to miss them."""

from mutants.mutant import Mutant


def weakened(name: str, file: str, old: str, new: str) -> Mutant:
    return Mutant(f"model: {name}", file, old, new, ("litmus",))


MUTANTS = [
    weakened(
        "a swap that fails is an acquire load",
        "base/fp_atomic.h",
        "v, memory_order_seq_cst,       \\\n                                                       memory_order_seq_cst);",
        "v, memory_order_seq_cst,       \\\n                                                       memory_order_acquire);",
    ),
    weakened(
        "the ring's stamp is loaded acquire",
        "queues/fp_mpmc_lockfree.c",
        "uint64_t stamp = fp_u64_load_seq_cst(&slot->stamp);",
        "uint64_t stamp = fp_u64_load_acquire(&slot->stamp);",
    ),
    weakened(
        "the notifier looks at the waiters with acquire",
        "wait/fp_event.h",
        "return (uint32_t)(fp_sync_u64_load_seq_cst(&e->word)",
        "return (uint32_t)(fp_sync_u64_load_acquire(&e->word)",
    ),
    weakened(
        "a lock is given back with release",
        "wait/fp_lock.h",
        "fp_sync_u64_store_seq_cst(&l->owner, 0);",
        "fp_sync_u64_store_release(&l->owner, 0);",
    ),
    weakened(
        "the head of the segments is loaded acquire by a pinned thread",
        "queues/fp_segq.c",
        "struct segment *s = fp_ptr_load_seq_cst(&q->head);",
        "struct segment *s = fp_ptr_load_acquire(&q->head);",
    ),
    weakened(
        "the collector looks at the threads' states with acquire",
        "reclaim/fp_epoch.c",
        "uint64_t state = fp_u64_load_seq_cst(&r->state); /* (D) */",
        "uint64_t state = fp_u64_load_acquire(&r->state); /* (D) */",
    ),
    weakened(
        "the root's birth is loaded acquire after a change below it",
        "maps/fp_ctrie_gcas.c",
        "((struct fp_main *)fp_ptr_load_seq_cst(&a->trie->root))->birth",
        "((struct fp_main *)fp_ptr_load_acquire(&a->trie->root))->birth",
    ),
    weakened(
        "the sweeping lock is given back with release",
        "reclaim/fp_lineage.c",
        "fp_u64_store_seq_cst(&l->lock, 0); /* pairs with try_lock */",
        "fp_u64_store_release(&l->lock, 0); /* pairs with try_lock */",
    ),
    weakened(
        "an ending writer looks acquire whether the last handle has gone",
        "shm/fp_shm_write.c",
        "if (FP_UNLIKELY(fp_sync_u64_load_seq_cst(&m->open) == 0))",
        "if (FP_UNLIKELY(fp_sync_u64_load_acquire(&m->open) == 0))",
    ),
    weakened(
        "a reporter resigns with release",
        "queues/fp_channel.c",
        "fp_sync_u64_store_seq_cst(&c->reporter, 0); /* as in",
        "fp_sync_u64_store_release(&c->reporter, 0); /* as in",
    ),
    weakened(
        "the table's slots are stored relaxed",
        "limits/fp_pool_table.c",
        "fp_u64_store_release(&t->slot[i], value); /* pairs with find */",
        "fp_u64_store_relaxed(&t->slot[i], value); /* pairs with find */",
    ),
    weakened(
        "a new publication is in no test",
        "base/fp_mem.c",
        "    if (p == NULL)\n        return;\n",
        "    static fp_sync_u64 last;\n    fp_sync_u64_store_release(&last, 1);\n    if (p == NULL)\n        return;\n",
    ),
]
