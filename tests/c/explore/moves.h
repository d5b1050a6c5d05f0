/* moves.h - what a host does that moves a queue elsewhere: it keeps the items in an array behind a
 * mutex, with events of its own, and lets those wait who are told FP_MOVED meanwhile. */
#ifndef MOVES_H
#define MOVES_H

#include "history.h"

#include "queues/fp_queue.h"

/* Nothing was moved yet, from a queue of this kind; less: of fp_ordered. */
void moves_begin(const struct fp_queue_ops *ops, void *queue, enum order order);

/* Have the items been moved? An operation asks first. */
bool moves_are_over(void);

/* For who was told FP_MOVED: until the mover has ended it, one way or the other. */
void moves_await(void);

/* Moves; then goes back, unless `keep`. *puts and *gets: at the moment of the move. False: it was
 * over before. */
bool moves_make(bool keep, uint64_t *puts, uint64_t *gets);

/* Moves and goes back as somebody who does not wait for other movers; true: they kept it off. */
bool moves_dare(void);

/* The operations on the array. */
enum fp_status moves_put(uint64_t item);
enum fp_status moves_get(uint64_t *item);
void moves_close(void);
void moves_count(uint64_t *puts, uint64_t *gets);
struct fp_event *moves_event(bool put);

#endif
