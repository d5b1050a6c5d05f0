"""Nothing but a name that pickles contain; the queue is in _shm."""

from fastprims._shm.queue import _attach

__all__ = ["_attach"]
