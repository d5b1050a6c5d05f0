# TopicTrie, its snapshots and its subscriptions over fp_topic.


cdef extern from "_maps/topic.h":
    const _core.fp_topic_host fp_subscriber_host
    const _core.fp_memory fp_subscriber_memory "fp_subscriber_host.memory"
    uint64_t fp_topic_key[2]
    fp_bool fp_text(PyObject*, const char**, size_t*, PyObject**) noexcept
    object fp_list_of(_core.fp_words*)
    int fp_traverse_topic(_core.fp_topic*, visitproc, void*) noexcept
    void fp_clear_topic(_core.fp_topic*) noexcept

fp_topic_key[0], fp_topic_key[1] = [
    int.from_bytes(os.urandom(8), "little") | 1 for _ in range(2)]


MESSAGES = {
    _core.FP_TOPIC_NOTHING: "must have one character at least",
    _core.FP_TOPIC_EMPTY_TOKEN: "has an empty token; between two {separator!r}, before the first "
    "and after the last there must be something",
    _core.FP_TOPIC_NUL: "contains a NUL character, which no messaging system allows",
    _core.FP_TOPIC_SPACE: "contains white space, which tokens must not have",
    _core.FP_TOPIC_TOO_LONG: "is longer than {most} bytes of UTF-8",
    _core.FP_TOPIC_PART: "has a wildcard that is part of a token; {one!r} and {rest!r} must be "
    "whole tokens, with {separator!r} around them",
    _core.FP_TOPIC_NOT_LAST: "goes on after {rest!r}, which stands for all the rest and must be "
    "the last token",
    _core.FP_TOPIC_NOT_LITERAL: "contains a wildcard ({one!r} or {rest!r}); only patterns, for "
    "subscribe(), may",
}


# The first level of a shared subscription of MQTT 5.
SHARE = "$share"


cdef struct Text:
    const char* start
    size_t length
    PyObject* kept  # the object that owns the text, if that is not the str; else NULL


cdef object quoted(object text):
    if text is None:  # of a Subscription that subscribe() has not made
        return "nothing"
    return repr(text) if len(text) <= 60 else repr(text[:60]) + "..."


cdef int raise_invalid(const _core.fp_topic_syntax* rules, object text, bint is_pattern,
                       int fault) except -1:
    message = MESSAGES[fault].format(
        separator=chr(rules.separator), one=chr(rules.one), rest=chr(rules.rest),
        most=f"{_core.FP_TOPIC_BYTES:,}")
    what = "pattern" if is_pattern else "topic"
    raise ValueError(f"the {rules.name.decode()} {what} {quoted(text)} {message}")


cdef int check_type(object text, str what) except -1:
    if not isinstance(text, str):
        raise TypeError(f"a {what} must be a str, not {type(text).__name__}")
    return 0


cdef int read_text(const _core.fp_topic_syntax* rules, object text, bint is_pattern,
                   Text* t) except -1:
    """Checks a pattern or topic, and fills in its UTF-8; the caller must call let_go()."""
    cdef int fault
    what = "pattern" if is_pattern else "topic"
    check_type(text, what)
    if <size_t>len(text) > _core.FP_TOPIC_BYTES:
        raise_invalid(rules, text, is_pattern, _core.FP_TOPIC_TOO_LONG)
    if not fp_text(<PyObject*>text, &t.start, &t.length, &t.kept):
        try:
            fp_propagate()
        except UnicodeEncodeError:
            raise ValueError(
                f"the {what} {quoted(text)} has a lone surrogate, which UTF-8 cannot express"
            ) from None
    fault = _core.fp_topic_check(rules, t.start, t.length, is_pattern)
    if fault != _core.FP_TOPIC_GOOD:
        let_go(t)
        raise_invalid(rules, text, is_pattern, fault)
    return 0


cdef inline void let_go(Text* t) noexcept:
    if t.kept != NULL:
        fp_drop(t.kept)


cdef class Subscribers:
    """Owns, for the garbage collector, the subscribers of a TopicTrie and of its snapshots."""

    cdef _core.fp_topic* core  # written once, before another thread has the object
    # MQTT's shared subscriptions by group and filter, while they have members; None: there were
    # none yet, or the collector has cleared them. This dict and the members' counts in its groups
    # are written within the critical section.
    cdef dict groups
    # Set before the first shared subscription is in the trie, so a thread that finds one there sees
    # this, too.
    cdef bint shared

    def __dealloc__(self):
        if self.core != NULL:
            _core.fp_lineage_drop(&self.core.line)

    cdef Member join(self, str group, str filter, object subscriber):
        cdef Member member = Member.__new__(Member)
        cdef Group joined
        member.subscriber = subscriber
        with cython.critical_section(self):
            if self.groups is None:
                self.groups = {}
            joined = self.groups.get((group, filter))
            if joined is None:
                joined = self.groups[group, filter] = Group.__new__(Group)
            joined.members += 1
            joined.joined += 1
            member.number = joined.joined
            member.group = joined
            self.shared = True
        return member

    cdef int leave(self, str group, str filter) except -1:
        cdef Group left
        with cython.critical_section(self):
            if self.groups is None:
                return 0
            left = self.groups[group, filter]
            left.members -= 1
            if left.members == 0:
                del self.groups[group, filter]
        return 0


cdef class Group:
    """A shared subscription of MQTT: whose turn it is."""

    cdef uint64_t members, joined  # how many there are now; how many ever joined
    cdef _core.fp_sync_u64 turn


cdef class Member:
    """Stands in the trie for a subscriber of a shared subscription; match() finds it there."""

    cdef Group group
    cdef object subscriber
    cdef uint64_t number  # never changes; in the order of joining


cdef list choose(list found):
    """Of each group, the member whose turn it is; and all subscribers that don't share."""
    cdef list chosen = []
    cdef dict groups = {}
    cdef Group group
    for subscriber in found:
        if type(subscriber) is Member:
            groups.setdefault((<Member>subscriber).group, []).append(
                ((<Member>subscriber).number, subscriber))
        else:
            chosen.append(subscriber)
    for group, members in groups.items():
        members.sort()
        turn = fp_sync_u64_fetch_add_seq_cst(&group.turn, 1)
        chosen.append((<Member>members[turn % len(members)][1]).subscriber)
    return chosen


cdef tuple take_apart(const _core.fp_topic_syntax* rules, str pattern):
    """The group (None for most patterns), and the pattern without it."""
    if not rules.hides_dollar or (pattern != SHARE and not pattern.startswith(SHARE + "/")):
        return None, pattern
    _, _, rest = pattern.partition("/")
    group, _, filter = rest.partition("/")
    if not group or "+" in group or "#" in group or not filter:
        raise ValueError(
            f"the mqtt pattern {quoted(pattern)} must be '$share/<group>/<filter>': the group has "
            "one character at least and no wildcard, and the filter is a pattern")
    return group, filter


@cython.no_gc_clear  # made after its subscriber: a cycle contains an object that changed later
cdef class Subscription:
    """What TopicTrie.subscribe() returns and TopicTrie.unsubscribe() takes. Compared by identity;
    keeps the subscriber, but not the trie, alive. The program need not keep it: then the
    subscription lasts as long as the trie.

    Errors: TypeError: making one without a trie, copying or pickling.
    Complexity: O(1); 72 bytes in the trie, and the object.
    Progress: wait-free; it never changes.
    Source: an immutable record; csrc/maps/fp_topic.h has the trie.
    Example:
        >>> from fastprims import TopicTrie
        >>> subscription = TopicTrie().subscribe("plant.*", "pager")
        >>> subscription.pattern, subscription.subscriber
        ('plant.*', 'pager')
    """

    # All of these are written by TopicTrie.subscribe(), before another thread has the object.
    cdef readonly str pattern
    """The pattern."""
    cdef readonly object subscriber
    """The subscriber."""
    cdef uint64_t trie, number

    def __dealloc__(self):
        cdef PyObject* old
        old = fp_keep(<PyObject*>self.subscriber)
        self.subscriber = None
        fp_drop(old)

    def __init__(self, *args, **kwargs):
        raise TypeError("a Subscription is made by TopicTrie.subscribe()")

    def __repr__(self):
        return f"<{type(self).__module__}.{type(self).__qualname__} to {quoted(self.pattern)}>"

    def __reduce_ex__(self, protocol):
        raise TypeError(
            "cannot pickle or copy a Subscription: it stands for one entry of one TopicTrie. "
            "Subscribe again where another is needed")


@cython.no_gc_clear  # a cycle is broken at the Subscribers
cdef class TopicBase:
    """What TopicTrie and TopicSnapshot share. Not to be instantiated."""

    # In a snapshot, these and the core are written when it is made, before another thread has it.
    # In a trie, the first __init__ that enters the critical section writes them there.
    cdef Subscribers owner
    cdef const _core.fp_topic_syntax* rules
    cdef object __weakref__  # the interpreter's

    def __init__(self, *args, **kwargs):
        raise TypeError(
            f"{type(self).__name__} cannot be instantiated; use TopicTrie, and snapshot()")

    cdef int check(self) except -1:
        if self.owner is None:
            raise RuntimeError(
                f"this {type(self).__name__} was not initialised: a subclass that defines __init__ "
                "must call super().__init__()")
        return 0

    cdef fp_status find(self, const Text* topic, _core.fp_words* found) noexcept:
        return _core.FP_OK

    cdef _core.fp_version* take_snapshot(self) except NULL:
        """A version with the present contents; the reference is the caller's."""
        fp_propagate()

    cdef _core.fp_topic_counts count(self) except *:
        pass

    @property
    def syntax(self):
        """"nats", "mqtt" or "amqp"."""
        self.check()
        return self.rules.name.decode()

    def match(self, topic):
        """Return a list of the subscribers whose patterns match the topic, in any order. It has one
        entry for each subscription, so a subscriber with two that match is there twice; set()
        removes such duplicates. The list shows one instant of the call.

        Writes nothing (except the turn of shared MQTT subscriptions), and delays no other thread.
        At most O(tokens * patterns), for usual patterns O(tokens + subscriptions found). Raises
        ValueError if `topic` is no topic, TypeError if it is no str.
        """
        cdef Text text
        cdef _core.fp_words found
        cdef fp_status status
        self.check()
        read_text(self.rules, topic, False, &text)
        _core.fp_words_init(&found, &fp_subscriber_memory)
        status = self.find(&text, &found)
        let_go(&text)
        if status != _core.FP_OK:
            _core.fp_words_free(&found)
            raise MemoryError("no memory for the subscribers that match")
        subscribers = fp_list_of(&found)
        return choose(subscribers) if self.owner.shared else subscribers

    def __len__(self):
        self.check()
        return self.count().subscriptions

    def __bool__(self):
        return True

    def stats(self):
        """The subscriptions, patterns and the memory of the nodes: O(n). See TopicStats."""
        self.check()
        cdef _core.fp_version* v = self.take_snapshot()
        cdef _core.fp_topic_counts counts = _core.fp_topic_version_count(v)
        cdef size_t size_in_bytes = _core.fp_topic_memory(v)
        _core.fp_version_release(v)
        return record(
            "TopicStats", size=counts.subscriptions, patterns=counts.patterns, bytes=size_in_bytes)

    def __sizeof__(self):
        return object.__sizeof__(self) + (self.stats().bytes if self.owner is not None else 0)

    def __repr__(self):
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        if self.owner is None:
            return f"<{name}, not initialised>"
        return f"<{name} {self.syntax} size={len(self)} at {<size_t><PyObject*>self:#x}>"

    def __reduce_ex__(self, protocol):
        refuse_pickle(
            self, "snapshot() makes a copy to read; to have another trie, make one and subscribe")

    @classmethod
    def __class_getitem__(cls, item):
        """Generic alias: TopicTrie[Callable]."""
        return GenericAlias(cls, item)


cdef class TopicTrie(TopicBase):
    """TopicTrie(syntax="nats")

    Finds the subscribers of a topic, by the patterns with wildcards that they have subscribed to.
    For any number of threads. `syntax` is one of

    - "nats": tokens between ".", none empty, no white space; "*" stands for one token, ">" for one
      or more and is the last;
    - "mqtt": levels between "/", which may be empty; "+" stands for one, "#" for any number, none
      included, and is the last ("a/#" matches "a"). A pattern that begins with a wildcard does not
      match a topic that begins with "$". "$share/<group>/<filter>" is a shared subscription: of
      the subscribers with the same group and filter, match() finds one, each in turn, in the order
      in which they subscribed; matches of the trie and of its snapshots are one sequence;
    - "amqp": words between ".", which may be empty ("" has no word at all); "*" stands for one, "#"
      for any number, none included, anywhere.

    Wildcards are whole tokens. Patterns and topics are str, up to 65,535 bytes of UTF-8, without
    NUL. Subscribers are any hashable objects, so that set(trie.match(topic)) has each of them once;
    the trie itself never compares them.

    Every method takes effect at one instant between call and return (linearizable); match() shows
    one instant in all its branches. Deep patterns need no stack. Finalizers of subscribers may use
    the same trie. len() is the number of subscriptions, exact. A trie is true, also without
    subscriptions.

    An unsubscribed subscriber is released at once if no snapshot can see it. On free-threaded
    builds that may take some more writes to this trie (about ten), or gc.collect(), since another
    thread could still be reading it.

    Errors: ValueError: a pattern or topic that the syntax does not allow, with the reason; a syntax
        that does not exist; unsubscribing at another trie. TypeError: a subscriber that is not
        hashable, a topic that is no str. Then nothing is changed.
    Complexity: subscribe and unsubscribe are O(log n), and O(tokens) of the pattern. match is
        O(tokens + subscriptions found) for usual patterns, at most O(tokens * patterns). snapshot()
        and len() are O(1). About 230 bytes a pattern, 72 more a subscription.
    Progress: subscribing and unsubscribing are lock-free (a thread suspended at any point stops no
        other). match writes nothing, and delays no other thread.
    Source: a persistent trie behind one atomic word, which writers replace by compare-and-swap;
        csrc/maps/fp_topic.h.
    Example:
        >>> from fastprims import TopicTrie
        >>> trie = TopicTrie("nats")
        >>> alarms = trie.subscribe("plant.*.alarm", "pager")
        >>> archive = trie.subscribe("plant.>", "archive")
        >>> sorted(trie.match("plant.7.alarm")), trie.match("plant.7.level")
        (['archive', 'pager'], ['archive'])
        >>> before = trie.snapshot()
        >>> trie.unsubscribe(alarms), trie.unsubscribe(alarms), len(trie), len(before)
        (True, False, 1, 2)
        >>> trie.syntax, trie.stats().patterns
        ('nats', 1)
    """

    cdef _core.fp_topic* core
    cdef uint64_t serial

    def __init__(self, syntax="nats"):
        cdef int i
        cdef const _core.fp_topic_syntax* rules = NULL
        self.check_new()
        if not isinstance(syntax, str):
            raise TypeError(f"syntax must be a str, not {type(syntax).__name__}")
        for i in range(_core.FP_TOPIC_SYNTAXES):
            if _core.fp_topic_syntaxes[i].name.decode() == syntax:
                rules = &_core.fp_topic_syntaxes[i]
        if rules == NULL:
            raise ValueError(f"syntax must be 'nats', 'mqtt' or 'amqp', not {quoted(syntax)}")
        cdef Subscribers owner = Subscribers.__new__(Subscribers)
        owner.core = _core.fp_topic_create(&fp_subscriber_host, rules)
        if owner.core == NULL:
            raise MemoryError("no memory for a TopicTrie")
        _core.fp_lineage_hold(&owner.core.line)
        cdef bint first
        with cython.critical_section(self):
            first = self.core == NULL
            if first:
                self.rules = rules
                self.serial = _core.fp_lineage_generation()
                self.core = owner.core
                self.owner = owner
        if not first:
            _core.fp_topic_end(owner.core)
            self.check_new()

    cdef int check_new(self) except -1:
        if self.core != NULL:
            refuse_again(self)
        return 0

    def __dealloc__(self):
        if self.core != NULL:
            _core.fp_topic_end(self.core)

    cdef fp_status find(self, const Text* topic, _core.fp_words* found) noexcept:
        return _core.fp_topic_match(self.core, topic.start, topic.length, found)

    cdef _core.fp_version* take_snapshot(self) except NULL:
        cdef _core.fp_version* v = _core.fp_topic_snapshot(self.core)
        if v == NULL:
            raise MemoryError("no memory for a snapshot")
        return v

    cdef _core.fp_topic_counts count(self) except *:
        cdef _core.fp_topic_counts counts
        if not _core.fp_topic_count(self.core, &counts):
            raise MemoryError("no memory for a thread's first use of fastprims")
        return counts

    def subscribe(self, pattern, subscriber):
        """Add a subscription, and return it. Each call adds one: a subscriber that subscribes twice
        to the same pattern has two subscriptions, and match() finds both. Raises ValueError if
        `pattern` is no pattern, TypeError if the subscriber is not hashable; then nothing has
        changed.
        """
        cdef Text text
        cdef fp_status status
        cdef Subscription subscription = Subscription.__new__(Subscription)
        self.check()
        hash(subscriber)
        check_type(pattern, "pattern")
        subscription.trie = self.serial
        subscription.pattern = PyUnicode_FromObject(pattern)  # not of a derived class
        subscription.subscriber = subscriber
        group, filter = take_apart(self.rules, subscription.pattern)
        read_text(self.rules, filter, True, &text)
        if group is not None:
            subscriber = self.owner.join(group, filter, subscriber)
        status = _core.fp_topic_subscribe(
            self.core, text.start, text.length, <uint64_t><PyObject*>subscriber,
            &subscription.number)
        let_go(&text)
        if status != _core.FP_OK:
            if group is not None:
                self.owner.leave(group, filter)
            raise MemoryError("no memory for the subscription")
        return subscription

    def unsubscribe(self, subscription):
        """Remove a subscription, and return whether it was there: False if it was removed before.
        Raises ValueError for a subscription of another trie, TypeError for anything else.
        """
        cdef Text text
        cdef fp_status status
        cdef Subscription it
        self.check()
        if not isinstance(subscription, Subscription):
            raise TypeError(
                "unsubscribe() takes a Subscription, which subscribe() returned, not "
                f"{type(subscription).__name__}")
        it = subscription
        if it.trie != self.serial:
            raise ValueError(
                f"this Subscription to {quoted(it.pattern)} belongs to another TopicTrie; "
                "unsubscribe it there")
        group, filter = take_apart(self.rules, it.pattern)
        read_text(self.rules, filter, True, &text)
        status = _core.fp_topic_unsubscribe(self.core, text.start, text.length, it.number)
        let_go(&text)
        if status == _core.FP_OK and group is not None:
            self.owner.leave(group, filter)
        if status == _core.FP_NO_MEMORY:
            raise MemoryError("no memory to unsubscribe; the subscription is still there")
        return status == _core.FP_OK

    def snapshot(self):
        """Return a TopicSnapshot with the present subscriptions, in O(1), at one instant between
        call and return. It never changes.
        """
        self.check()
        cdef TopicSnapshot snapshot = TopicSnapshot.__new__(TopicSnapshot)
        snapshot.core = self.take_snapshot()
        snapshot.rules = self.rules
        snapshot.owner = self.owner
        return snapshot


cdef class TopicSnapshot(TopicBase):
    """The contents of a TopicTrie at one instant; read-only. Made by TopicTrie.snapshot(). Keeps
    its subscribers alive, and does not need the trie any more.

    Errors: TypeError: subscribe and unsubscribe, since a snapshot does not change; making one
        without a trie; a topic that is no str. ValueError: a topic that the syntax does not allow.
    Complexity: match as in TopicTrie; len() and snapshot() are O(1).
    Progress: lock-free; match writes nothing (except the turn of shared MQTT subscriptions).
    Source: as TopicTrie; csrc/maps/fp_topic.h.
    Example:
        >>> from fastprims import TopicTrie
        >>> trie = TopicTrie("mqtt")
        >>> subscription = trie.subscribe("plant/+/alarm", "pager")
        >>> snapshot = trie.snapshot()
        >>> trie.unsubscribe(subscription), trie.match("plant/7/alarm")
        (True, [])
        >>> snapshot.match("plant/7/alarm"), snapshot.syntax, snapshot.stats().size
        (['pager'], 'mqtt', 1)
        >>> snapshot.snapshot() is snapshot
        True
        >>> snapshot.subscribe("plant/#", "archive")
        Traceback (most recent call last):
        ...
        TypeError: ...
        >>> snapshot.unsubscribe(subscription)
        Traceback (most recent call last):
        ...
        TypeError: ...
    """

    cdef _core.fp_version* core

    def __dealloc__(self):
        if self.core != NULL:
            _core.fp_version_release(self.core)

    cdef fp_status find(self, const Text* topic, _core.fp_words* found) noexcept:
        return _core.fp_topic_version_match(self.core, topic.start, topic.length, found)

    cdef _core.fp_version* take_snapshot(self) except NULL:
        _core.fp_version_retain(self.core)
        return self.core

    cdef _core.fp_topic_counts count(self) except *:
        return _core.fp_topic_version_count(self.core)

    def subscribe(self, pattern, subscriber):
        """Raises TypeError: a snapshot does not change."""
        raise TypeError("a TopicSnapshot does not change; subscribe to the TopicTrie")

    def unsubscribe(self, subscription):
        """Raises TypeError: a snapshot does not change."""
        raise TypeError("a TopicSnapshot does not change; unsubscribe from the TopicTrie")

    def snapshot(self):
        """Return this snapshot itself."""
        return self


# Garbage collection. ------------------------------------------------------------------------------

cdef traverseproc cython_traverse_subscribers
cdef inquiry cython_clear_subscribers


cdef int traverse_subscribers(PyObject* self, visitproc fn, void* arg) noexcept:
    cdef int answer = fp_traverse_topic((<Subscribers>self).core, fn, arg)
    return answer if answer else cython_traverse_subscribers(self, fn, arg)


cdef int clear_subscribers(PyObject* self) noexcept:
    fp_clear_topic((<Subscribers>self).core)
    return 0


fp_set_gc(Subscribers, traverse_subscribers, clear_subscribers,
          &cython_traverse_subscribers, &cython_clear_subscribers)
fp_publish(TopicTrie, "fastprims.TopicTrie", ("match",))
fp_publish(TopicSnapshot, "fastprims.TopicSnapshot", ("match",))
fp_publish(Subscription, "fastprims.Subscription", ())
