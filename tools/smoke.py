"""Does an installed fastprims work? Run it with the interpreter in question, in any folder."""

from __future__ import annotations

import os
import sys
from typing import Any

import fastprims
from fastprims import queue

assert os.path.commonpath([fastprims.__file__, sys.prefix]) == sys.prefix, fastprims.__file__
q: Any
ring: Any
for kind in (fastprims.Queue, fastprims.SimpleQueue, fastprims.LifoQueue, fastprims.PriorityQueue):
    q = kind()
    q.put(1)
    assert q.get() == 1 and q.try_get() is None, kind
for ring in (fastprims.SPSCRing(1), fastprims.MPMCRing(1)):
    assert ring.try_put(1) and not ring.try_put(2) and ring.try_get() == 1, ring
assert queue.Queue is fastprims.Queue
assert os.path.isfile(os.path.join(fastprims.get_include(), "fastprims.h"))
assert os.path.isfile(fastprims.get_library())
try:
    import fastprims.raw
except ImportError as error:
    assert "fastprims[raw]" in str(error), error  # nothing is required, so cffi is not there
else:
    raise AssertionError("fastprims.raw without cffi")
probe = getattr(sys, "_is_gil_enabled", None)
print(fastprims.build_info())
if probe and "t" in sys.abiflags:
    assert not probe(), "importing fastprims switched the GIL back on"
