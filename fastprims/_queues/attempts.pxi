# Attempts: what one call moves (an item or a batch), and the operation it repeats while it waits.


# get_many() asks for at most this many at a time while it does not know how many there are.
cdef enum: CHUNK = 1 << 20


# What a waiting call moves, and the operations that fp_wait() repeats: the same C functions that
# the call tried first. Batch begins with the field of Single that has_items() and has_room() read.
cdef struct Single:
    PyObject* queue
    uint64_t item

cdef struct Batch:
    PyObject* queue
    uint64_t* items
    size_t size
    size_t done


cdef fp_status run_put(void* arg) noexcept:
    cdef Single* s = <Single*>arg
    return (<BaseQueue>s.queue).put_one((<BaseQueue>s.queue).core, s.item)


cdef fp_status run_get(void* arg) noexcept:
    cdef Single* s = <Single*>arg
    return (<BaseQueue>s.queue).get_one((<BaseQueue>s.queue).core, &s.item)


cdef fp_status run_put_many(void* arg) noexcept:
    cdef Batch* b = <Batch*>arg
    cdef size_t done = 0
    cdef fp_status status = (<BaseQueue>b.queue).ops.put_many(
        (<BaseQueue>b.queue).core, b.items + b.done, b.size - b.done, &done)
    b.done += done
    return status


cdef fp_status run_get_many(void* arg) noexcept:
    cdef Batch* b = <Batch*>arg
    cdef fp_status status = (<BaseQueue>b.queue).ops.get_many(
        (<BaseQueue>b.queue).core, b.items, b.size, &b.done)
    return status if b.done == 0 else _core.FP_OK


cdef fp_bool has_items(void* arg) noexcept:
    cdef PyObject* queue = (<Single*>arg).queue
    cdef uint64_t puts, gets
    (<BaseQueue>queue).ops.count((<BaseQueue>queue).core, &puts, &gets)
    return puts != gets


cdef fp_bool has_room(void* arg) noexcept:
    cdef PyObject* queue = (<Single*>arg).queue
    cdef uint64_t puts, gets
    (<BaseQueue>queue).ops.count((<BaseQueue>queue).core, &puts, &gets)
    return puts - gets < (<BaseQueue>queue).ops.limit((<BaseQueue>queue).core)


cdef list take_more(list items, size_t most, Batch* batch):
    """Moves the items of a full untracked list to a longer one and takes further items behind them.
    Returns that list, or the old one if there are no more items or there is no memory. Leaves
    batch.done < batch.size if the queue had no more."""
    cdef uint64_t puts, gets
    (<BaseQueue>batch.queue).ops.count((<BaseQueue>batch.queue).core, &puts, &gets)
    cdef size_t have = <size_t>len(items)
    cdef list longer
    batch.done, batch.size = 0, 1
    if puts == gets:
        return items
    try:
        longer = untracked_list(
            None, <Py_ssize_t>(have + min(most - have, min(puts - gets, <uint64_t>CHUNK))))
    except MemoryError:
        return items
    fp_move_items(longer, items)
    batch.items = fp_list_buffer(longer) + have
    batch.size = <size_t>len(longer) - have
    run_get_many(batch)
    return longer


cdef size_t put_in_place(BaseQueue self, list items) noexcept:
    cdef size_t done, i
    cdef uint64_t* words = fp_list_buffer(items)
    self.ops.put_many(self.core, words, <size_t>len(items), &done)
    for i in range(done):
        INCREF(<PyObject*>words[i])
    return done
