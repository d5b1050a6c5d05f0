# How this copy of fastprims was compiled.


def build_info():
    """How this copy of fastprims was compiled: the interpreter's threading ("GIL" or
    "free-threaded"), the atomics of Python-object structures ("plain" under the GIL, or "C11"),
    how MPMCRing works ("16-byte compare-and-swap" or "fallback"; with plain atomics neither is
    needed), how queues count references to items that change threads ("shared count" or
    "Py_INCREF"), bytes of cache-line padding, how threads sleep, and the compiler.
    """
    return {
        "threading": "free-threaded" if FREE_THREADED else "GIL",
        "atomics": "plain" if _core.FP_PLAIN else "C11",
        "mpmc": ("plain" if _core.FP_PLAIN
                 else "16-byte compare-and-swap" if _core.FP_CAS16 else "fallback"),
        "items": "shared count" if HAND_OVER else "Py_INCREF",
        "cacheline": _core.FP_CACHELINE,
        "parking": (<bytes>_core.fp_park_name()).decode(),
        "compiler": (<bytes>COMPILER).decode(),
    }
