/* fp_ref.c - see fp_ref.h for the argument. */
#include "atomics/fp_ref.h"

bool fp_ref_compare_exchange(struct fp_ref *r, void *expected, void *desired,
                             const struct fp_counting *count) {
    uint64_t word = fp_u64_load_seq_cst(&r->word), paid = 0;
    bool done = false;
    while (!done && fp__ref_object(word) == expected) {
        /* Before the swap: afterwards, the loads that it concerns may be over already. */
        for (; paid < (word & FP_REF_MARKS); paid++)
            count->add(expected);
        FP_STEP();
        const uint64_t marks = word & FP_REF_MARKS;
        /* Release half: publishes `desired`. Acquire half: pairs with the loads' swaps. */
        done = fp_u64_cas_seq_cst(&r->word, &word, fp__ref_word(desired));
        if (done)
            paid -= marks;
        else
            fp_u64_fetch_add_relaxed(&r->retries, 1);
        FP_STEP();
    }
    for (; paid > 0; paid--)
        count->drop(expected); /* the caller holds one */
    return done;
}

FP_NOINLINE void *fp__ref_exchange(struct fp_ref *r, void *desired,
                                   const struct fp_counting *count) {
    for (;;) {
        void *found = fp_ref_load(r, count);
        bool done = fp_ref_compare_exchange(r, found, desired, count);
        count->drop(found); /* done: the word's own is left */
        if (done)
            return found;
    }
}
