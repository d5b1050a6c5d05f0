"""Only a name that existing pickles contain; the queue is in _shm."""

from fastprims._shm.queue import _attach

__all__ = ["_attach"]
