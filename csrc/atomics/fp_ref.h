/* fp_ref.h - one counted reference that threads load and replace without a lock.
 *
 * The difficulty is in load: between reading which object is there and adding a reference to it,
 * another thread may replace it and drop the last reference. Here a reader first leaves a mark in
 * the word itself, and whoever replaces the object pays for the marks. The word holds both:
 *
 *      bits 16-63  the object's address (its upper 16 bits must be zero)
 *      bits  0-15  marks: loads under way of this very object
 *
 *   load     adds 1 to the word: the answer names the object, and now it cannot go away. Adds a
 *            reference to it. Then takes a mark back, by a compare-and-swap of the word - unless
 *            the object is not there any more, or no mark is left: then some replacement has paid
 *            a reference for this load already, and the one too many is dropped.
 *   replace  must leave behind a reference for each mark it wipes out, and adds them *before* its
 *            compare-and-swap of the word, {old, n marks} -> {new, none}. Without marks, which is
 *            the common case, it is that one swap and does not touch the object.
 *
 * Safety. For an object p let L be the loads that have marked and not yet finished, M the marks in
 * the word if p is there (0 otherwise), and D the references paid by replacements and not yet
 * dropped. Marking raises L and M; a replacement moves M to D; finishing lowers L, and with it M or
 * D. So L = M + D, always: while a load of p is under way, either p is in the word, whose own
 * reference keeps it, or a paid reference does. Marks of one object are alike, whichever time it
 * was stored: a load may take back a mark that another left, and the other then finds its paid
 * reference. So storing the same object again (ABA) does no harm. A load that finds p gone or no
 * mark knows that D > 0, since L > 0; it drops that reference while it holds one of its own, so
 * dropping never destroys p inside an operation.
 *
 * A replacement adds references to the old object while it holds one itself: compare_exchange is
 * given the object by its caller, exchange has loaded it.
 *
 * All operations are seq_cst. Each linearizes at its successful swap, or at the reading that made
 * it fail; load at its addition. Lock-free: a swap fails only if another operation changed the
 * word. A thread suspended inside an operation stops nobody; it keeps one object alive.
 *
 * Limits: 65,535 loads of one object under way at a time. A forked child inherits the marks of
 * loads that were under way in other threads; the object that they name stays alive.
 *
 * With FP_PLAIN nothing comes between, no mark is ever seen, and the same code is a few plain
 * instructions.
 *
 * Contract: any thread beside any other; init, peek alone. */
#ifndef FP_REF_H
#define FP_REF_H

#include "base/fp_atomic.h"

struct fp_ref {
    fp_u64 word;
    fp_u64 retries; /* swaps that failed because of other threads, for statistics */
};

/* How to count references to an object. `drop` may run any code. */
struct fp_counting {
    void (*add)(void *object);
    void (*drop)(void *object);
};

enum { FP_REF_SHIFT = 16 };
#define FP_REF_MARKS ((uint64_t)0xffff)

static inline void *fp__ref_object(uint64_t word) {
    return (void *)(uintptr_t)(word >> FP_REF_SHIFT);
}
static inline uint64_t fp__ref_word(void *object) {
    return (uint64_t)(uintptr_t)object << FP_REF_SHIFT;
}

/* False: this object's address does not fit. */
static inline bool fp_ref_fits(void *object) {
    return fp__ref_object(fp__ref_word(object)) == object;
}

/* The caller's reference passes to the word. Here and below: objects that fit, not NULL. */
static inline void fp_ref_init(struct fp_ref *r, void *object) {
    fp_u64_store_seq_cst(&r->word, fp__ref_word(object));
    fp_u64_store_relaxed(&r->retries, 0);
}

/* The object, without a reference. NULL before init. */
static inline void *fp_ref_peek(struct fp_ref *r) {
    return fp__ref_object(fp_u64_load_acquire(&r->word));
}

/* A new reference. */
static inline void *fp_ref_load(struct fp_ref *r, const struct fp_counting *count) {
    /* Acquire half: pairs with the swap that stored the object. */
    uint64_t word = fp_u64_fetch_add_seq_cst(&r->word, 1) + 1;
    void *object = fp__ref_object(word);
    FP_STEP();
    count->add(object);
    FP_STEP();
    while (fp__ref_object(word) == object && (word & FP_REF_MARKS) != 0) {
        /* Release half: pairs with a replacement's swap, whose drop comes after our addition. */
        if (FP_LIKELY(fp_u64_cas_seq_cst(&r->word, &word, word - 1)))
            return object;
        FP_STEP();
    }
    count->drop(object); /* paid by a replacement; not the last one */
    return object;
}

/* Replaces `expected` by `desired`, if it is there. True: the caller's reference to `desired` has
 * passed to the word, and the word's to `expected` to the caller. False: nothing has changed. The
 * caller holds a reference to `expected`. */
bool fp_ref_compare_exchange(struct fp_ref *r, void *expected, void *desired,
                             const struct fp_counting *count);

/* Slow half of the next function: there are marks. */
void *fp__ref_exchange(struct fp_ref *r, void *desired, const struct fp_counting *count);

/* The object that was there, with its reference; the caller's reference to `desired` passes to the
 * word. */
static inline void *fp_ref_exchange(struct fp_ref *r, void *desired,
                                    const struct fp_counting *count) {
    uint64_t word = fp_u64_load_acquire(&r->word);
    /* Release half: publishes `desired`, pairs with load's addition. */
    if (FP_LIKELY((word & FP_REF_MARKS) == 0 &&
                  fp_u64_cas_seq_cst(&r->word, &word, fp__ref_word(desired))))
        return fp__ref_object(word);
    return fp__ref_exchange(r, desired, count);
}

#endif
