"""The segment queue, and moving a queue's items elsewhere."""

from mutants.mutant import Mutant

SEGQ = "queues/fp_segq.c"
MOVE = "queues/fp_segq_move.c"
ORDERED = "queues/fp_ordered.c"

MUTANTS = [
    # Moving.
    *(
        Mutant(f"moves: {name}", file, old, new, only=only, program="moves")
        for name, file, old, new, only in (
            (
                "the gets are not ended",
                MOVE,
                "        freeze(q, pin);\n",
                "        (void)freeze;\n",
                "|o",
            ),
            (
                "the gets are ended before the puts",
                MOVE,
                (
                    "    enum fp_status r = mark_moved(q);\n    FP_STEP();\n    if (r == FP_OK)\n"
                    "        freeze(q, pin);\n"
                ),
                "    freeze(q, pin);\n    enum fp_status r = mark_moved(q);\n",
                "|o",
            ),
            (
                "a drained head is frozen",
                MOVE,
                "        if (links(next)) {",
                "        if (0) {",
                "|o",
            ),
            (
                "going back, the puts come before the gets",
                MOVE,
                (
                    "    while (!fp_u64_cas_seq_cst(&head->deq, &deq, taken_of(deq)))\n        ;\n"
                    "    FP_STEP();\n    /* One of the two stands there, or none, after a fork. */\n"
                    "    if (!change_marker(q, FP_SEGQ_MOVED, FP_SEGQ_VACANT))\n"
                    "        change_marker(q, FP_SEGQ_MOVED_CLOSED, FP_SEGQ_CLOSED);\n"
                ),
                (
                    "    if (!change_marker(q, FP_SEGQ_MOVED, FP_SEGQ_VACANT))\n"
                    "        change_marker(q, FP_SEGQ_MOVED_CLOSED, FP_SEGQ_CLOSED);\n"
                    "    deq = fp_u64_load_relaxed(&head->deq);\n"
                    "    while (!fp_u64_cas_seq_cst(&head->deq, &deq, taken_of(deq)))\n        ;\n"
                ),
                "|d|",
            ),
            ("going back leaves the gets frozen", MOVE, "&deq, taken_of(deq))", "&deq, deq)", "|u"),
            (
                "going back forgets the closing",
                MOVE,
                "change_marker(q, FP_SEGQ_MOVED_CLOSED, FP_SEGQ_CLOSED);",
                "change_marker(q, FP_SEGQ_MOVED_CLOSED, FP_SEGQ_VACANT);",
                "|d|",
            ),
            (
                "a closed queue moves as an open one",
                MOVE,
                "change_marker(q, FP_SEGQ_CLOSED, FP_SEGQ_MOVED_CLOSED)",
                "change_marker(q, FP_SEGQ_CLOSED, FP_SEGQ_MOVED)",
                "|o",
            ),
            (
                "two movers of a closed queue",
                MOVE,
                "FP_SEGQ_MOVED_CLOSED) ? FP_OK : FP_MOVED;",
                "FP_SEGQ_MOVED_CLOSED) ? FP_OK : FP_OK;",
                "|d|",
            ),
            ("nobody is woken", MOVE, "    fp__segq_notify_everybody(q);\n", "", "|o"),
            (
                "only consumers are woken",
                MOVE,
                "fp__segq_notify_everybody(q);",
                "fp_event_notify_all(&q->not_empty);",
                "|o",
            ),
            (
                "only producers are woken",
                MOVE,
                "fp__segq_notify_everybody(q);",
                "fp_event_notify_all(&q->not_full);",
                "|o",
            ),
            (
                "a put is told closed",
                SEGQ,
                "return marker == FP_SEGQ_CLOSED ? FP_CLOSED : FP_MOVED;",
                "return marker == 0 ? FP_MOVED : FP_CLOSED;",
                "|o",
            ),
            (
                "a get of a frozen head is told empty",
                SEGQ,
                "            if (i & FROZEN)\n                return FP_MOVED;\n",
                "            if (i & FROZEN)\n                return FP_EMPTY;\n",
                "|o",
            ),
            (
                "a get does not look at the bit",
                SEGQ,
                "        uint64_t i = fp_u64_load_acquire(&s->deq);\n        if (FP_UNLIKELY(i >= s->size)) {",
                (
                    "        uint64_t i = taken_of(fp_u64_load_acquire(&s->deq));\n"
                    "        if (FP_UNLIKELY(i >= s->size)) {"
                ),
                "|o",
            ),
            (
                "a put passes the marker",
                SEGQ,
                "        if (FP_UNLIKELY(is_marker(found)))\n            return shut(found);\n        if (found",
                "        if (found == FP_SEGQ_CLOSED)\n            return shut(found);\n        if (found",
                "|o",
            ),
            (
                "closing what has moved is fine",
                SEGQ,
                "    if (r == FP_MOVED)\n        return r;\n",
                "",
                "|o",
            ),
            (
                "the heap stays",
                ORDERED,
                "        q->heap = (struct fp_heap){0};\n    }\n",
                "    }\n",
                "|o",
            ),
            (
                "the state says nothing",
                ORDERED,
                "fp_sync_u64_store_relaxed(&q->state, state | FP_ORDERED_MOVED);",
                "fp_sync_u64_store_relaxed(&q->state, state);",
                "|o",
            ),
            (
                "a put into a heap does not look",
                ORDERED,
                "        if (state != 0)\n            s = shut(state);",
                "        if (state & FP_ORDERED_CLOSED)\n            s = shut(state);",
                "|o",
            ),
            (
                "a closed heap moves as an open one",
                ORDERED,
                "state | FP_ORDERED_MOVED);",
                "FP_ORDERED_MOVED);",
                "|o",
            ),
            ("a heap goes back open", ORDERED, "state & ~FP_ORDERED_MOVED", "0 * state", "|u"),
            ("a heap goes back empty", ORDERED, "        q->heap = q->moved;\n", "", "|u"),
            (
                "two movers of a heap",
                ORDERED,
                "    if (state & FP_ORDERED_MOVED) {\n        s = FP_MOVED;",
                "    if (0) {\n        s = FP_MOVED;",
                "|d|",
            ),
            (
                "a heap moves without the lock",
                ORDERED,
                "enum fp_status fp_ordered_move(struct fp_ordered *q) {\n    enum fp_status s = enter(q);",
                "enum fp_status fp_ordered_move(struct fp_ordered *q) {\n    enum fp_status s = FP_OK;",
                "|o",
            ),
            (
                "nobody is woken by a heap",
                ORDERED,
                "        move_back(q);\n    notify_everybody(q);\n",
                "        move_back(q);\n",
                "|o",
            ),
            (
                "closing a moved heap is fine",
                ORDERED,
                "        leave(q);\n        return FP_MOVED;\n",
                "        leave(q);\n        return FP_OK;\n",
                "|o",
            ),
        )
    ),
    *(
        Mutant(f"moves: {name}", file, old, new, builds, program=program)
        for name, file, old, new, builds, program in (
            (
                "the items are not forgotten",
                MOVE,
                "fp_u64_load_relaxed(&head->deq) | FORGOTTEN",
                "fp_u64_load_relaxed(&head->deq)",
                ("steps",),
                "segq",
            ),
            (
                "going back without a move harms",
                ORDERED,
                "    if (has_moved(q)) { /*",
                "    if (1) { /*",
                ("steps",),
                "moves",
            ),
        )
    ),
    # The segment queue.
    Mutant(
        "segq: the hint passes the closing marker",
        SEGQ,
        "if (marker)\n            return FP_OK; /* no hint: every later put has to meet it */",
        "if (marker) {\n            fp_u64_store_relaxed(&s->enq, i + 1);\n"
        "            return FP_OK;\n        }",
    ),
    Mutant(
        "segq: the tail stays at a retired segment",
        SEGQ,
        "if (fp_ptr_load_seq_cst(&q->tail) == (void *)s)\n"
        "        fp_ptr_cas_seq_cst(&q->tail, &expected, next);",
        ";",
    ),
    Mutant(
        "segq: a linked segment is not helped along",
        SEGQ,
        "fp_ptr_cas_seq_cst(&q->tail, &expected, next); /* help the put that linked it */",
        "(void)expected;",
    ),
    Mutant(
        "segq: the loser of a link keeps its segment",
        SEGQ,
        "fp_mem_free(fresh, fresh->retired.bytes);\n",
        ";\n",
    ),
    Mutant(
        "segq: every loser retires",
        SEGQ,
        "if (fp_ptr_cas_seq_cst(&q->head, &expected, next))\n        fp_epoch_retire",
        "fp_ptr_cas_seq_cst(&q->head, &expected, next);\n        fp_epoch_retire",
    ),
    Mutant(
        "segq: a segment is freed at once",
        SEGQ,
        "fp_epoch_retire(pin, &s->retired);",
        "((void)pin, s->retired.free(&s->retired));",
    ),
    Mutant(
        "segq: get does not pin",
        SEGQ,
        "enum fp_status r;\n    do /* one segment at a time */",
        "fp_epoch_unpin(pin);\n    enum fp_status r;\n    do",
    ),
    Mutant(
        "segq: an emptied segment counts as empty",
        SEGQ,
        "fp__segq_retire(q, pin, s, next);\n            continue;",
        "fp__segq_retire(q, pin, s, next);\n            return FP_EMPTY;",
    ),
    Mutant(
        "segq: the end of a closed, full segment looks empty",
        SEGQ,
        "return shut((uintptr_t)next);\n            fp__segq_retire",
        "return FP_EMPTY;\n            fp__segq_retire",
    ),
    Mutant(
        "segq: a get does not notify",
        SEGQ,
        "fp_event_notify(&q->not_full);\n    return FP_OK;",
        "return FP_OK;",
    ),
    Mutant(
        "segq: a changed limit wakes nobody",
        SEGQ,
        "    fp_event_notify_all(&q->not_full);\n}\n\nuint64_t fp_segq_limit",
        "}\n\nuint64_t fp_segq_limit",
    ),
    Mutant(
        "segq: no bound at a segment's end",
        SEGQ,
        "} else if (!force && room_at(q, s->base + s->size) == 0) {",
        "} else if (0) {",
    ),
    Mutant(
        "segq: a run of puts goes on over another's put",
        SEGQ,
        "items[filled]))\n            break;",
        "items[filled]))\n            i++, filled--;",
    ),
    Mutant(
        "segq: a run of puts is longer than the room",
        SEGQ,
        "least(room, least(s->size - i, n - *done))",
        "least(s->size - i, n - *done)",
    ),
    Mutant(
        "segq: count reads the head once",
        SEGQ,
        "} while (head != before && --attempts > 0);",
        "} while (0);",
    ),
]
