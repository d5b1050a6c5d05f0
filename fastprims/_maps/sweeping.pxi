# Frees the memory that maps and topics have retired, once no thread can be reading it.


def collect(phase, info):
    """For gc.callbacks: frees retired memory that no thread can be reading any more."""
    _core.fp_lineage_collect()


if FREE_THREADED:
    gc.callbacks.append(collect)
