"""Without the interpreter: the rings between C threads, beside C and C++ peers; see session.py."""
