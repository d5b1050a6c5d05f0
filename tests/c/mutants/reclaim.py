"""Epochs, guards, lineages."""

from mutants.mutant import Mutant

EPOCH = "reclaim/fp_epoch.c"

MUTANTS = [
    Mutant("epoch: one step of grace", EPOCH, "GRACE = 2 * STEP", "GRACE = STEP"),
    Mutant("epoch: no grace", EPOCH, "GRACE = 2 * STEP", "GRACE = 0"),
    Mutant(
        "epoch: advances past pinned threads",
        EPOCH,
        "if (state != 0 && state != (now | 1))\n            return;",
        "(void)state;",
    ),
    Mutant(
        "epoch: what ended threads left is stranded",
        EPOCH,
        "        free_old(r);\n        disown(r);\n",
        "        disown(r);\n",
    ),
    Mutant(
        "epoch: the record of an ended thread is lost",
        EPOCH,
        "    disown(record);\n}\n\n/* The other threads",
        "    (void)record;\n}\n\n/* The other threads",
    ),
    Mutant(
        "epoch: a child waits for the parent's threads",
        EPOCH,
        "        fp_u64_store_relaxed(&r->state, 0);\n        disown(r);",
        "        disown(r);",
    ),
    Mutant(
        "epoch: pinning does nothing",
        "reclaim/fp_epoch.h",
        "fp_u64_exchange_seq_cst(&r->state, fp_u64_load_acquire(&fp__epoch_now) | 1);",
        "",
    ),
    Mutant(
        "epoch: unpin is relaxed",
        "reclaim/fp_epoch.h",
        "fp_u64_store_release(&r->state, 0);",
        "fp_u64_store_relaxed(&r->state, 0);",
        ("tsan",),
    ),
]
