"""Rings of 64-bit words and of bytes that C threads share: no Python objects in them.

`fastprims.raw` needs cffi (``pip install 'fastprims[raw]'``) when fastprims is built and when it is
used; without it, importing this module raises ImportError. The structures are those of
`fastprims.h`, the header for C and C++ (`fastprims.get_include()`), compiled with real atomics even
under the GIL. So any thread that has the address of a ring may use it, through cffi, ctypes or C:

- `ring.handle` is the cffi pointer, `ring.address` the same as an integer, for
  ``ctypes.c_void_p(ring.address)``;
- `lib` and `ffi` have the functions of the header for cffi, `library` is the path of the shared
  library that has them, for ``ctypes.CDLL``.

cffi releases the GIL around every call, so a call costs more than one of `fastprims.SPSCRing` or
`fastprims.MPMCRing`. These rings are for words and records that come from, or go to, threads that
know no Python.

All classes have the queue protocol: `put`, `get` with `block` and `timeout` (seconds),
`put_nowait`, `get_nowait`, `try_put`, `try_get`, `put_many`, `get_many`, `qsize`, `shutdown`. A
wait ends within 100 ms of a Ctrl-C. A time-out or an interrupt loses nothing: if a signal handler
raises after an item was taken and before it was returned, the next get of this object returns it.
(A put that is interrupted at the very end may have stored its item, as if the signal had come after
it.)
"""

from __future__ import annotations

from typing import Any

from fastprims._raw import lib as _lib
from fastprims._raw.bytes import SPSCBytes
from fastprims._raw.words import MPMCWords, SPSCWords

__all__ = ["MPMCWords", "SPSCBytes", "SPSCWords", "ffi", "lib", "library"]

ffi: Any = _lib.ffi
"""cffi's interface to fastprims.h.

Errors: those of cffi.
Complexity: as the functions that it calls.
Progress: as the functions that it calls.
Source: cffi; csrc/capi/fastprims.h.
Example:
    >>> from fastprims import raw
    >>> word = raw.ffi.new("uint64_t *", 7)
    >>> word[0]
    7
"""

lib: Any = _lib.lib
"""The functions of fastprims.h for cffi.

Errors: none: they return a status, FASTPRIMS_OK or another.
Complexity: as the classes of this module.
Progress: as the classes of this module.
Source: csrc/capi/fastprims.h.
Example:
    >>> from fastprims import raw
    >>> ring = raw.MPMCWords(1)
    >>> raw.lib.fastprims_ring_put(ring.handle, 7, 0) == raw.lib.FASTPRIMS_OK
    True
    >>> ring.get()
    7
"""

library: str = _lib.library
"""The path of the shared library that has the functions of fastprims.h, for ctypes.CDLL.

Errors: those of the caller's loader.
Complexity: O(1).
Progress: wait-free.
Source: the path of the extension module.
Example:
    >>> import ctypes
    >>> from fastprims import raw
    >>> ctypes.CDLL(raw.library).fastprims_ring_put is not None
    True
"""
