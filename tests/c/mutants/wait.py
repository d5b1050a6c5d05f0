"""The eventcount and waiting; locks, threads, the heap, memory."""

from mutants.mutant import Mutant

EVENT = "wait/fp_event.c"
WAIT = "wait/fp_wait.c"
HUB = "wait/fp_hub.c"

MUTANTS = [
    # The eventcount and waiting.
    Mutant(
        "event: signalled is never cleared",
        EVENT,
        "(word - FP_EVENT_WAITER) & ~FP_EVENT_SIGNALLED",
        "(word - FP_EVENT_WAITER)",
    ),
    Mutant(
        "event: the epoch stays",
        EVENT,
        "return (word & ~(uint64_t)UINT32_MAX) | (uint32_t)(word + 1);",
        "return word;",
    ),
    Mutant("event: nobody is woken", EVENT, "fp_unpark_one(futex_word(e));", ";"),
    Mutant(
        "event: all means one",
        EVENT,
        "fp_unpark_all(futex_word(e));",
        "fp_unpark_one(futex_word(e));",
    ),
    Mutant(
        "event: asleep is not announced",
        EVENT,
        "fp_sync_u64_fetch_or_seq_cst(&e->word, FP_EVENT_ASLEEP)",
        "fp_sync_u64_load_seq_cst(&e->word)",
    ),
    Mutant(
        "event: asleep is cleared with every waiter", EVENT, "if (left < FP_EVENT_WAITER)\n", ""
    ),
    # Listeners and hubs.
    Mutant(
        "listener: the list is not counted among the waiters",
        EVENT,
        "if (first == NULL)\n        announce(e);",
        "if (0)\n        announce(e);",
        ("steps",),
        program="listener",
    ),
    Mutant(
        "listener: every node counts as a waiter",
        EVENT,
        "if (first == NULL)\n        announce(e);",
        "if (1)\n        announce(e);",
        ("steps",),
        program="listener",
    ),
    Mutant(
        "listener: the last one does not end the announcement",
        EVENT,
        "set_first(e, NULL);\n        withdraw(e);\n    } else {",
        "set_first(e, NULL);\n    } else {",
        ("steps",),
        program="listener",
    ),
    Mutant(
        "listener: none is in front",
        EVENT,
        "first == NULL || in_front",
        "first == NULL",
        ("steps",),
        program="listener",
    ),
    Mutant(
        "listener: one that refuses keeps the turn",
        EVENT,
        "while (chosen != NULL && !chosen->notify(chosen));",
        "while (chosen != NULL && (chosen->notify(chosen), false));",
        ("steps",),
        program="listener",
    ),
    Mutant(
        "listener: a notification goes to it or to a thread",
        EVENT,
        "*wake = raise_epoch(e, l == NULL",
        "*wake = l == NULL && raise_epoch(e, l == NULL",
        ("steps",),
        program="listener",
    ),
    Mutant(
        "listener: the list counts as a thread",
        EVENT,
        "first_listener(e) == NULL ? 0 : FP_EVENT_WAITER);",
        "0);",
        ("steps",),
        program="listener",
    ),
    Mutant(
        "listener: the parent's are the child's",
        EVENT,
        "fp_sync_u64_store_relaxed(&e->first, 0); /* the parent's */",
        ";",
        ("steps",),
        program="listener",
    ),
    Mutant(
        "hub: the loop is not told",
        HUB,
        "if (before == 0 && own != h",
        "if (0 && own != h",
        ("steps",),
        program="listener",
    ),
    Mutant(
        "hub: the own thread writes, too",
        HUB,
        "before == 0 && own != h &&",
        "before == 0 &&",
        ("steps",),
        program="listener",
    ),
    Mutant(
        "hub: the newest comes first",
        HUB,
        "        oldest = l;\n        l = next;\n    }\n    return oldest;",
        "        oldest = l;\n        l = next;\n    }\n"
        "    return (struct fp_listener *)(uintptr_t)newest;",
        ("steps",),
        program="listener",
    ),
    Mutant(
        "hub: a closed one keeps the turn",
        HUB,
        "return state == 0;",
        "return true;",
        ("steps",),
        program="listener",
    ),
    Mutant(
        "hub: closed twice",
        HUB,
        "fetch_or_seq_cst(&h->state, FP_HUB_CLOSED) & FP_HUB_CLOSED)\n        return;",
        "fetch_or_seq_cst(&h->state, FP_HUB_CLOSED) > FP_HUB_CLOSED + 2)\n        return;",
        ("steps",),
        program="listener",
    ),
    Mutant(
        "wait: no look after the announcement",
        WAIT,
        "s = op->run(op->arg);\n        enum fp_status woke",
        "enum fp_status woke",
    ),
    Mutant(
        "wait: no fence before the look after the announcement",
        WAIT,
        "if (e->light && to_watch == 0)",
        "if (0)",
        ("explore",),
        only="spsc",
    ),
    Mutant(
        "wait: the fence comes before the announcement",
        WAIT,
        "        uint64_t key = fp_event_enter(e);\n        FP_STEP();\n        if (e->light && to_watch == 0)\n"
        "            fp_fence_heavy();",
        "        if (e->light && to_watch == 0)\n            fp_fence_heavy();\n"
        "        uint64_t key = fp_event_enter(e);\n        FP_STEP();\n       ",
        ("explore",),
        only="spsc",
    ),
    Mutant(
        "event: a signalled one need not see what was stored light",
        EVENT,
        "if (e->light && word >= 2 * FP_EVENT_WAITER)",
        "if (0)",
        ("explore",),
        only="news",
    ),
    Mutant(
        "wait: no look after the sleep",
        WAIT,
        "if (must_wait(s))\n            s = op->run(op->arg);\n        if (!must_wait(s))\n            break;",
        "if (!must_wait(s))\n            break;",
    ),
    Mutant(
        "wait: the news is not passed on",
        WAIT,
        "if (fp_event_waiters(e) != 0 && op->more(op->arg))\n        fp_event_send(e);",
        "",
    ),
    Mutant(
        "wait: the announcement is left behind on success",
        WAIT,
        "        fp_event_leave(e, key);\n",
        "        if (must_wait(s))\n            fp_event_leave(e, key);\n",
    ),
    # Locks, threads, heap, memory.
    Mutant("lock: released without a wake", "wait/fp_lock.h", "fp_event_notify(&l->released);", ""),
    Mutant(
        "lock: no owner check",
        "wait/fp_lock.c",
        "if (owner != 0 && !fp_thread_lost_by_fork(owner))",
        "if (0)",
    ),
    Mutant(
        "lock: a child does not take it over",
        "base/fp_thread.c",
        "fp_sync_u64_store_relaxed(&fork_floor, fp_sync_u64_load_relaxed(&last_drawn));",
        "",
    ),
    Mutant(
        "lock: relaxed release",
        "wait/fp_lock.h",
        "fp_sync_u64_store_seq_cst(&l->owner, 0);",
        "fp_sync_u64_store_relaxed(&l->owner, 0);",
        ("tsan",),
    ),
    Mutant(
        "ordered: no bound",
        "queues/fp_ordered.c",
        "s = FP_FULL;",
        "s = fp_heap_push(&q->heap, items[*done], q->less);",
    ),
    Mutant(
        "heap: a failed comparison goes on",
        "queues/fp_heap.c",
        "if (before < 0)\n            return FP_FAILED;",
        "if (before < 0)\n            break;",
    ),
    Mutant(
        "heap: a failed batch is not undone",
        "queues/fp_heap.c",
        "undo_take(h, items[*done - 1]);",
        ";",
        ("steps",),
    ),
    Mutant(
        "heap: a place is not given back",
        "queues/fp_heap.c",
        "    h->items[end] = h->items[at];\n",
        "",
        ("steps",),
    ),
    Mutant(
        "heap: the right child is never looked at",
        "queues/fp_heap.c",
        "child += (size_t)before;",
        "child += 0 * (size_t)before;",
    ),
]
