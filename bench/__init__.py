"""The benchmark suite: fastprims beside the standard library.

``python -m bench`` measures, shows and draws the comparison, on one or more interpreters;
``pytest bench/`` runs the same workloads under pytest-benchmark. A benchmark never asserts a time.
"""
