/* fp_segq_move.c - ending a segment queue for somebody who takes its items elsewhere, or thinks
 * better of it. fp_segq.h has the contract, DESIGN.md the argument. */
#include "queues/fp_segq_internal.h"

/* Puts one marker in the place of another, behind which nothing was put. Pinned callers only. */
static bool change_marker(struct fp_segq *q, uint64_t from, uint64_t to) {
    struct segment *s = fp_ptr_load_seq_cst(&q->tail), *next;
    while (links(next = fp_ptr_load_seq_cst(&s->next)))
        s = next;
    uint64_t i = fp_u64_load_acquire(&s->enq);
    while (i < s->size && fp_u64_load_seq_cst(&s->slot[i]) > FP_SEGQ_MOVED_CLOSED)
        i++;
    void *link = (void *)(uintptr_t)from;
    return i < s->size ? fp_u64_cas_seq_cst(&s->slot[i], &from, to)
                       : fp_ptr_cas_seq_cst(&s->next, &link, (void *)(uintptr_t)to);
}

/* Ends the puts: FP_OK for one caller, FP_MOVED for all others. */
static enum fp_status mark_moved(struct fp_segq *q) {
    enum fp_status r = fp__segq_mark(q, FP_SEGQ_MOVED);
    if (r == FP_CLOSED) /* for good: only a mover changes that marker */
        r = change_marker(q, FP_SEGQ_CLOSED, FP_SEGQ_MOVED_CLOSED) ? FP_OK : FP_MOVED;
    return r;
}

/* Ends the gets. The head is the last segment, or has items: it stays the head. */
static void freeze(struct fp_segq *q, struct fp_epoch_record *pin) {
    for (;;) {
        struct segment *s = fp_ptr_load_seq_cst(&q->head);
        uint64_t i = fp_u64_load_acquire(&s->deq);
        struct segment *next = i < s->size ? NULL : fp_ptr_load_seq_cst(&s->next);
        if (links(next)) {
            fp__segq_retire(q, pin, s, next);
            continue;
        }
        FP_STEP();
        /* The linearization point of the move. Acquire half: pairs with the gets' swaps. */
        if (fp_u64_cas_seq_cst(&s->deq, &i, i | FROZEN))
            return;
    }
}

enum fp_status fp_segq_move(struct fp_segq *q) {
    struct fp_epoch_record *pin = fp_epoch_pin();
    if (pin == NULL)
        return FP_NO_MEMORY;
    enum fp_status r = mark_moved(q);
    FP_STEP();
    if (r == FP_OK)
        freeze(q, pin);
    fp_epoch_unpin(pin);
    return r;
}

/* Gets first, then puts: whoever takes the marker away lets the next mover come, whose freezing
 * must not be undone. */
static void go_on(struct fp_segq *q, struct segment *head) {
    uint64_t deq = fp_u64_load_relaxed(&head->deq);
    /* Release half: pairs with the gets' loads. A swap, for gets may run: those of a child that
     * ends a move which fork has cut off before its freezing. */
    while (!fp_u64_cas_seq_cst(&head->deq, &deq, taken_of(deq)))
        ;
    FP_STEP();
    /* One of the two stands there, or none, after a fork. */
    if (!change_marker(q, FP_SEGQ_MOVED, FP_SEGQ_VACANT))
        change_marker(q, FP_SEGQ_MOVED_CLOSED, FP_SEGQ_CLOSED);
}

enum fp_status fp_segq_end_move(struct fp_segq *q, bool keep) {
    struct fp_epoch_record *pin = fp_epoch_pin();
    if (pin == NULL)
        return FP_NO_MEMORY;
    struct segment *head = fp_ptr_load_seq_cst(&q->head);
    if (keep) /* it is frozen, and stays the head. Release: pairs with visit */
        fp_u64_store_release(&head->deq, fp_u64_load_relaxed(&head->deq) | FORGOTTEN);
    else
        go_on(q, head);
    fp_epoch_unpin(pin);
    fp__segq_notify_everybody(q);
    return FP_OK;
}
