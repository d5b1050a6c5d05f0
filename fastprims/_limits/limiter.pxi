# RateLimiter over fp_gcra.


cdef extern from "_limits/clock.h":
    fp_bool fp_read_python_clock(void*, int64_t*) noexcept

cdef extern from "limits/fp_gcra.h":
    struct fp_clock:
        fp_bool (*read)(void*, int64_t*) noexcept
        void* arg
    struct fp_gcra:
        fp_u64 granted
        fp_u64 refused
        uint64_t depth
        unsigned scale
        fp_lock turn
        _core.fp_event timer
    const fp_clock fp_system_clock
    fp_status fp_gcra_init(fp_gcra*, double, uint64_t, int64_t)
    fp_status fp_gcra_try(fp_gcra*, uint64_t, const fp_clock*)
    fp_status fp_gcra_acquire(fp_gcra*, uint64_t, int64_t, const fp_clock*, const _core.fp_host*)
    fp_status fp_gcra_delay(fp_gcra*, uint64_t, const fp_clock*, int64_t*)
    fp_status fp_gcra_available(fp_gcra*, const fp_clock*, uint64_t*)
    const double FP_GCRA_LEAST_RATE, FP_GCRA_MOST_RATE


cdef class RateLimiter:
    """RateLimiter(rate, burst, *, clock=None)

    Lets at most `burst` tokens through at once and `rate` tokens per second (a number from 1e-9
    to 1e9) in the long run: in any period of t seconds no more than burst + rate * t. It starts
    full.

    Exact: the rate is used to its last bit, and rounded values are never added up. So there is no
    drift, whatever the rate and however long the limiter runs. No token comes early; after a time
    in which the bucket was full, the next tokens may come up to 7 microseconds late.

    The tokens of a thread that waits in acquire are reserved: try_acquire cannot take them away.

    The clock is the monotonic one, or any function that returns nanoseconds as an int, as
    time.monotonic_ns does. If it jumps forward, there are at most `burst` tokens; if it jumps back,
    the next tokens come after burst / rate seconds at the latest.

    Errors: ValueError: `n` below 1 or above `burst`, a negative timeout, a rate or burst out of
        range. Also what the clock raises. Then no token is taken.
    Complexity: O(1); 128 bytes beside the object.
    Progress: try_acquire and retry_after never wait and are lock-free (a thread suspended at any
        point stops no other). In acquire threads sleep, and are served one after the other.
    Source: the generic cell rate algorithm (ITU-T I.371), in one 64-bit word;
        csrc/limits/fp_gcra.h.
    Example:
        >>> from fastprims import RateLimiter
        >>> now = 0
        >>> limiter = RateLimiter(2, 1, clock=lambda: now)  # nanoseconds
        >>> limiter.try_acquire(), limiter.try_acquire(), limiter.retry_after()
        (True, False, 0.5)
        >>> now += 500_000_000
        >>> limiter.acquire(timeout=1), limiter.stats().granted
        (True, 2)
        >>> limiter.rate, limiter.burst
        (2.0, 1)
    """

    # All of these are written by the first __init__ that enters the critical section. After that,
    # only the garbage collector changes one: it clears `source`.
    cdef fp_gcra* core
    cdef bint quick  # True: there is a core, and it uses the system's clock
    cdef readonly double rate
    """Tokens per second."""
    cdef object source
    cdef object __weakref__  # the interpreter's

    def __init__(self, rate, burst, *, clock=None):
        cdef double number = to_number(rate, "rate", "a number of tokens per second")
        size = to_count(burst, "burst", 1)
        self.check_new()
        if clock is not None and not callable(clock):
            raise TypeError("clock must be a function that returns nanoseconds")
        if not FP_GCRA_LEAST_RATE <= number <= FP_GCRA_MOST_RATE:
            raise ValueError(f"rate must be from 1e-9 to 1e9 tokens per second, not {rate}")
        cdef int64_t now = _core.fp_now()
        if clock is not None and not fp_read_python_clock(<void*>clock, &now):
            fp_propagate()
        cdef fp_gcra* core = <fp_gcra*>fp_mem_alloc(sizeof(fp_gcra))
        if core == NULL:
            raise MemoryError
        if size >= 1 << 61 or fp_gcra_init(core, number, size, now) != _core.FP_OK:
            fp_mem_free(core, sizeof(fp_gcra))
            raise OverflowError(
                "burst is too large for this rate: it must not take more than 34 years to fill")
        cdef bint first
        with cython.critical_section(self):
            first = self.core == NULL
            if first:
                self.rate = number
                self.source = clock
                self.core = core
                self.quick = clock is None
        if not first:
            fp_mem_free(core, sizeof(fp_gcra))
            self.check_new()

    def __dealloc__(self):
        cdef PyObject* old
        fp_mem_free(self.core, sizeof(fp_gcra))
        old = fp_keep(<PyObject*>self.source)
        self.source = None
        fp_drop(old)

    cdef int check_new(self) except -1:
        if self.core != NULL:
            refuse_again(self)
        return 0

    cdef fp_clock clock(self) noexcept:
        cdef fp_clock clock = [fp_read_python_clock, <void*>self.source]
        return clock

    cdef uint64_t amount(self, object n) except 0:
        if self.core == NULL:
            raise RuntimeError(
                f"this {type(self).__name__} was not initialised: a subclass that defines __init__ "
                "must call super().__init__() with what the class needs")
        value = to_count(n, "n", 1)
        if value > self.burst:
            raise ValueError(
                f"{value} tokens can never be had at once: burst is {self.burst}. Take them in "
                "several calls, or make a limiter with a larger burst")
        return value

    cdef int check(self, fp_status status) except -1:
        if status == _core.FP_REENTERED:
            raise RuntimeError("acquire() was called by the clock of the same RateLimiter")
        if status == _core.FP_FAILED or status == _core.FP_INTERRUPTED:
            fp_propagate()
        return 0

    def try_acquire(self, n=1):
        """If there are `n` tokens, take them and return True, otherwise take none and return False.
        Never waits. Raises ValueError if `n` is more than `burst` or less than 1.
        """
        cdef uint64_t tokens = self.amount(n)
        cdef fp_clock clock = self.clock()
        cdef fp_status status = fp_gcra_try(
            self.core, tokens, &fp_system_clock if self.quick else &clock)
        self.check(status)
        return status == _core.FP_OK

    def acquire(self, n=1, timeout=None):
        """Wait for `n` tokens, take them and return True. With a timeout in seconds, return False
        as soon as it is clear that they won't come in time. A call that returns False or is
        interrupted has taken nothing. Raises ValueError if `n` is more than `burst` or less than 1,
        or for a negative timeout.
        """
        cdef uint64_t tokens = self.amount(n)
        check_timeout(timeout)
        cdef int64_t deadline = deadline_of(timeout)
        cdef fp_clock clock = self.clock()
        cdef fp_status status = fp_gcra_acquire(
            self.core, tokens, deadline, &fp_system_clock if self.quick else &clock, &host)
        self.check(status)
        return status == _core.FP_OK

    def retry_after(self, n=1):
        """Seconds until `n` tokens are there, if no thread takes any meanwhile; 0.0: they are there
        now. Takes none. Raises ValueError if `n` is more than `burst` or less than 1.
        """
        cdef uint64_t tokens = self.amount(n)
        cdef fp_clock clock = self.clock()
        cdef int64_t delay = 0
        self.check(fp_gcra_delay(
            self.core, tokens, &fp_system_clock if self.quick else &clock, &delay))
        cdef double seconds = <double>delay / 1e9
        return seconds if delay < 1 << 50 else nextafter(seconds, HUGE_VAL)

    @property
    def burst(self):
        """The largest number of tokens at once."""
        return self.core.depth >> self.core.scale if self.core != NULL else 0

    def stats(self):
        """The counts since the limiter was made; see RateLimiterStats."""
        self.amount(1)
        cdef fp_clock clock = self.clock()
        cdef uint64_t available = 0
        self.check(fp_gcra_available(
            self.core, &fp_system_clock if self.quick else &clock, &available))
        return record(
            "RateLimiterStats", rate=self.rate, burst=self.burst, available=available,
            granted=fp_u64_load_relaxed(&self.core.granted),
            refused=fp_u64_load_relaxed(&self.core.refused),
            waits=(_core.fp_sync_u64_load_relaxed(&self.core.timer.waits)
                   + _core.fp_sync_u64_load_relaxed(&self.core.turn.released.waits)))

    def __repr__(self):
        return (f"<{type(self).__module__}.{type(self).__qualname__} rate={self.rate:g} "
                f"burst={self.burst} at {<size_t><PyObject*>self:#x}>")

    def __sizeof__(self):
        return object.__sizeof__(self) + sizeof(fp_gcra)

    def __reduce_ex__(self, protocol):
        refuse_pickle(self, "Send its rate and burst")


# The fast path of try_acquire (see cpython_compat.h): one token, the system's clock.
cdef fp_fastcall slow_try_acquire


cdef PyObject* fast_try_acquire(PyObject* self, PyObject* const* args, Py_ssize_t n,
                                PyObject* names) noexcept:
    if _core.FP_LIKELY(n == 0 and names == NULL and (<RateLimiter>self).quick):
        if fp_gcra_try((<RateLimiter>self).core, 1, &fp_system_clock) == _core.FP_OK:
            return fp_constant(True)
        return fp_constant(False)
    return slow_try_acquire(self, args, n, names)


fp_set_fastcall(RateLimiter, "try_acquire", fast_try_acquire, &slow_try_acquire)
fp_publish(RateLimiter, "fastprims.RateLimiter", ())
