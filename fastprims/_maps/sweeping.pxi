# What maps and topics leave behind until no thread can be reading it.


def collect(phase, info):
    """For gc.callbacks: what waits until no thread can be reading it."""
    _core.fp_lineage_collect()


if FREE_THREADED:
    gc.callbacks.append(collect)
