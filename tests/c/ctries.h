/* ctries.h - a host for the Ctrie in tests: handles that are counted, and answer like objects.
 *
 * A handle is id * 16 + variant; handles of one id are equal. `same` knows only even variants, so
 * that both ways of comparing are used. */
#ifndef CTRIES_H
#define CTRIES_H

#include "maps/fp_ctrie.h"

enum { CTRIE_HANDLES = 1 << 20 };

extern const struct fp_ctrie_host ctrie_test_host;

/* Called for each question; NULL: none. Negative: it fails. */
extern int (*ctrie_on_equal)(void);

static inline uint64_t handle_of(unsigned id, unsigned variant) {
    return (uint64_t)id * 16 + variant + 1;
}
static inline unsigned id_of(uint64_t handle) { return (unsigned)((handle - 1) / 16); }

/* Makes a handle: one reference, the caller's. */
uint64_t make_handle(unsigned id, unsigned variant);
/* Handles that have references, and those references. */
long live_handles(void);
long live_references(void);
int references_of(uint64_t handle);
/* Pieces of memory that the core has from the host. */
long live_nodes(void);
/* So many are too many, where there is little but garbage. */
enum { PILE = 100000 };

/* How many different hashes the ids get; 0: 2^64. */
extern unsigned ctrie_hashes;
uint32_t hash_of(unsigned id);

/* The sequential calls of the tests, in terms of ids. -1: absent. */
int ctrie_find_id(struct fp_ctrie *t, struct fp_version *v, unsigned id);
struct fp_ctrie_change ctrie_do(struct fp_ctrie *t, enum fp_ctrie_mode mode, unsigned id, int value,
                                int expected);

#endif
