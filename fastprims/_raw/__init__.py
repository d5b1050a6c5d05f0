"""fastprims.raw: rings that C threads share, through cffi; and where the files for C programs are."""
