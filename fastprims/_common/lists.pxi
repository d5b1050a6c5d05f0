# Lists to which no other code can have a reference.


cdef list untracked_list(object source, Py_ssize_t room):
    # While a list is visible, other code may find it by way of the collector, and keep it.
    cdef list own
    while True:
        own = PySequence_List(source) if room < 0 else PyList_New(room)
        fp_hide_list(own)
        if fp_is_unshared(own):
            return own
        fp_show_list(own, <size_t>len(own) if room < 0 else 0)
        if room < 0:
            source = own
