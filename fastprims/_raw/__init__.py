"""fastprims.raw: rings that C threads share, through cffi."""
