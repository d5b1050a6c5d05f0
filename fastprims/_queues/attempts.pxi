# Attempts: what one call moves (an item or a batch), and the operation it repeats while it waits.


# get_many() asks for at most this many at a time while it does not know how many there are.
cdef enum: CHUNK = 1 << 20


# What a waiting call moves, and the operations that fp_wait() repeats: the same C functions that
# the call tried first. Batch begins with the fields of Single that has_items() and has_room() read.
# They are copies: the queue's own share a cache line with its reference count, which other threads
# write. The caller takes them once check_open() has found the structure complete.
cdef struct Single:
    void* core
    const _core.fp_queue_ops* ops
    uint64_t item

cdef struct Batch:
    void* core
    const _core.fp_queue_ops* ops
    uint64_t* items
    size_t size
    size_t done


cdef fp_status run_put(void* arg) noexcept:
    cdef Single* s = <Single*>arg
    return s.ops.put(s.core, s.item)


cdef fp_status run_get(void* arg) noexcept:
    cdef Single* s = <Single*>arg
    return s.ops.get(s.core, &s.item)


cdef fp_status run_put_many(void* arg) noexcept:
    cdef Batch* b = <Batch*>arg
    cdef size_t done = 0
    cdef fp_status status = b.ops.put_many(b.core, b.items + b.done, b.size - b.done, &done)
    b.done += done
    return status


cdef fp_status run_get_many(void* arg) noexcept:
    cdef Batch* b = <Batch*>arg
    cdef fp_status status = b.ops.get_many(b.core, b.items, b.size, &b.done)
    return status if b.done == 0 else _core.FP_OK


cdef fp_bool has_items(void* arg) noexcept:
    cdef Single* s = <Single*>arg
    cdef uint64_t puts, gets
    s.ops.count(s.core, &puts, &gets)
    return puts != gets


cdef fp_bool has_room(void* arg) noexcept:
    cdef Single* s = <Single*>arg
    cdef uint64_t puts, gets
    s.ops.count(s.core, &puts, &gets)
    return puts - gets < s.ops.limit(s.core)


cdef list take_more(list items, size_t most, Batch* batch):
    """Moves the items of a full untracked list to a longer one and takes further items behind them.
    Returns that list, or the old one if there are no more items or there is no memory. Leaves
    batch.done < batch.size if the queue had no more."""
    cdef uint64_t puts, gets
    batch.ops.count(batch.core, &puts, &gets)
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
