"""Only a name that existing pickles contain; the maps are in _maps."""

from fastprims._maps.ext import snapshot_of

__all__ = ["snapshot_of"]
