"""The benchmark suite: fastprims' queues beside the standard library's.

``python -m bench`` measures, shows and draws the comparison, on one or more interpreters;
``pytest bench/`` runs the same workloads under pytest-benchmark. A benchmark never asserts a time.
"""
