"""AtomicInt, AtomicRef and AtomicFlag."""
