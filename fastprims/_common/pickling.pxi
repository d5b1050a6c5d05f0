# The refusal to pickle an object that belongs to the threads of one process.


cdef int refuse_pickle(object self, str instead) except -1:
    name = type(self).__name__
    article = "an" if name[:1] in "AEIOU" else "a"
    raise TypeError(
        f"cannot pickle or copy {article} {name}: it belongs to the threads of one process. "
        f"{instead}")
