/* fp_words.h - a vector of 64-bit words that begins where it is and moves to the heap when it
 * grows.
 *
 * Contract: one thread. The words are copied as they are; who owns what they stand for is the
 * caller's business. */
#ifndef FP_WORDS_H
#define FP_WORDS_H

#include "base/fp_mem.h"

struct fp_words {
    const struct fp_memory *memory;
    uint64_t *at;
    size_t count, room;
    uint64_t few[32];
};

static inline void fp_words_init(struct fp_words *w, const struct fp_memory *memory) {
    w->memory = memory;
    w->at = w->few;
    w->count = 0;
    w->room = sizeof w->few / sizeof *w->few;
}
static inline void fp_words_free(struct fp_words *w) {
    if (w->at != w->few)
        w->memory->free(w->at, w->room * sizeof *w->at);
}
/* The slow half of the next function. */
bool fp__words_grow(struct fp_words *w);
/* False: no memory. */
static inline bool fp_words_push(struct fp_words *w, uint64_t word) {
    if (FP_UNLIKELY(w->count == w->room) && !fp__words_grow(w))
        return false;
    w->at[w->count++] = word;
    return true;
}

#endif
