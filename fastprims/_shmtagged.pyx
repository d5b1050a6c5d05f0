# cython: language_level=3, binding=False, freethreading_compatible=True
# cython: embedsignature=True, embedsignature.format=clinic
# cython: profile=False, linetrace=False, boundscheck=False, wraparound=False
"""Records that start with a word that says what the rest is, for ShmQueue."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport UINT64_MAX, uint64_t
from libc.string cimport memcpy

from fastprims._shmcopy cimport Parts, to_bytearray, to_bytes
from fastprims._shmsegment cimport Segment, fp_shm_part, fp_shm_view


def put_tagged(Segment ring not None, uint64_t tag, list items, block, timeout):
    cdef fp_shm_part two[2]
    cdef Parts all
    cdef bint waits = block
    two[0] = [&tag, sizeof(tag)]
    if len(items) == 1 and type(items[0]) is bytes:  # nearly always
        two[1] = [PyBytes_AS_STRING(items[0]), <uint64_t>PyBytes_GET_SIZE(items[0])]
        ring.put_parts(two, 2, two[1].size + sizeof(tag), waits, timeout)
    else:
        all = Parts(items, 1)
        all.parts[0] = two[0]
        ring.put_parts(all.parts, all.count + 1, all.size + sizeof(tag), waits, timeout)


def get_tagged(Segment ring not None, block, timeout):
    """(tag, the rest: bytes if the tag is 0 or 1, else a bytearray). A record without a tag is
    taken for one with the largest, and an empty rest."""
    cdef fp_shm_view view
    cdef uint64_t tag = UINT64_MAX
    cdef object rest
    ring.peek_record(&view, block, timeout)
    try:
        if view.size < sizeof(tag):
            rest = b""
        else:
            memcpy(&tag, view.start, sizeof(tag))
            rest = to_bytes(&view, sizeof(tag)) if tag < 2 else to_bytearray(&view, sizeof(tag))
    except MemoryError:
        ring.reject_record(&view)
        raise
    ring.accept_record(&view)
    return tag, rest
