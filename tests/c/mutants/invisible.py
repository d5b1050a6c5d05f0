"""What no check on this kind of machine can see, each with the reason."""

from mutants.mutant import Mutant

SEGQ = "queues/fp_segq.c"
SPSC = "queues/fp_spsc.c"
WAIT = "wait/fp_wait.c"
EPOCH = "reclaim/fp_epoch.c"

MUTANTS = [
    Mutant(
        "blind: new anchors are not compared with the old ones",
        "base/fp_glance.c",
        "a->scale == scale && !as_predicted(a, before, now)",
        "a->scale == scale && 0",
        invisible="the counter of this machine is what the kernel says it is.",
    ),
    Mutant(
        "blind: the look after a time-out comes before leaving",
        WAIT,
        "        fp_event_leave(e, key);\n",
        "        if (must_wait(s))\n            s = op->run(op->arg);\n        fp_event_leave(e, key);\n"
        "        if (must_wait(s) && woke == FP_TIMED_OUT)\n            return FP_TIMED_OUT;\n",
        invisible="changes nothing but time-outs: a sleeper that timed out is not the one that was "
        "woken, and the one that was woken tries again after leaving.",
    ),
    Mutant(
        "blind: from a watch without a fence to the sleep",
        WAIT,
        "return e->light ? FP_OK : sleep_slice(e, key, deadline, slice);",
        "return sleep_slice(e, key, deadline, slice);",
        invisible="a watching thread pauses, and the explorer lets a pausing thread wait until the others' late "
        "stores are seen; on a real machine they are seen long before the watch is over.",
    ),
    Mutant(
        "blind: a put that met the end does not notify",
        SPSC,
        "    fp_event_notify_light(&r->not_empty, r->light);\n",
        "",
        invisible="the closing thread notifies all when the end is decided; only while it is suspended "
        "between the two does it matter which other thread does.",
    ),
    Mutant(
        "blind: the epoch is retired with a load",
        EPOCH,
        "fp_u64_fetch_add_seq_cst(&fp__epoch_now, 0)",
        "fp_u64_load_seq_cst(&fp__epoch_now)",
        invisible="a seq_cst load after the unlinking seq_cst swap reads the newest epoch on x86 "
        "and under sequential consistency; the read-modify-write is for weaker machines.",
    ),
    Mutant(
        "blind: a mover looks at the items without acquiring",
        SEGQ,
        "uint64_t found = fp_u64_load_acquire(&s->slot[i]);\n            if (found <=",
        "uint64_t found = fp_u64_load_relaxed(&s->slot[i]);\n            if (found <=",
        ("tsan",),
        program="moves",
        invisible="a put releases the hint behind its slot. The next put, and the mover with its "
        "marker, acquires that hint or passes the slot itself, and so has seen how the item was "
        "made.",
    ),
    Mutant(
        "blind: one walk through the pool's stacks",
        "limits/fp_pool.c",
        "if (fp_u64_load_seq_cst(&p->stack[i].head) != heads[i])\n            return false;",
        ";",
        invisible="two objects must be moved behind the search and then behind the walk: more "
        "switches in the right places than the explorer gets to; fp_pool.c has the argument.",
    ),
    Mutant(
        "blind: the head's cached position is not kept",
        SEGQ,
        "fp_u64_store_release(&q->head_seen, head);",
        "",
        invisible="only a cache: without it every put looks at the head.",
    ),
]
