"""fastprims.raw: rings that C threads share, through cffi; and the paths for C programs."""
