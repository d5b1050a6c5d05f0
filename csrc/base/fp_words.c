/* fp_words.c - see fp_words.h. */
#include "base/fp_words.h"

#include <string.h>

bool fp__words_grow(struct fp_words *w) {
    const size_t old = w->room * sizeof *w->at;
    uint64_t *more = w->memory->alloc(2 * old);
    if (more == NULL)
        return false;
    memcpy(more, w->at, old);
    fp_words_free(w);
    w->at = more;
    w->room *= 2;
    return true;
}
