"""RateLimiter, ObjectPool and its leases."""
