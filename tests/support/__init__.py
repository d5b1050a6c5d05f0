"""What the tests share: queue kinds, thread runners, child processes."""
