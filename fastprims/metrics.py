"""Exports the counts of structures: OpenMetrics for Prometheus, and statsd.

    from fastprims import BoundedChannel, metrics

    jobs = BoundedChannel(1000, overflow="drop_oldest")
    metrics.register("jobs", jobs)
    print(metrics.openmetrics())

Any object with a stats() method that returns a dataclass can be registered. The fields become
metrics `fastprims_<field>` with the labels `name` (as registered) and `kind` (the class). A field
that stats() declares to be a counter is one, every other field is a gauge. If a field is a mapping,
each key gets a sample of its own, with the key in one more label (`reason` for drops). Registering
keeps nothing alive, and costs the structures nothing: stats() is called only by a collection.

Exporting needs one of the packages of the extra `fastprims[metrics]`: prometheus_client or statsd.
Any thread may call the functions of this module.
"""

from __future__ import annotations

import dataclasses
import importlib
import logging
import os
import threading
import weakref
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

from fastprims._stats import COUNTER, NO_METRIC

__all__ = [
    "Collector",
    "Sample",
    "StatsdSender",
    "openmetrics",
    "register",
    "registered",
    "samples",
    "unregister",
]


class Sample(NamedTuple):
    """One number of one structure, at the moment of collecting.

    Errors: as a tuple.
    Complexity: O(1).
    Progress: wait-free; it never changes.
    Source: a NamedTuple; fastprims/metrics.py.
    Example:
        >>> from fastprims import AtomicInt, metrics
        >>> served = AtomicInt(3)
        >>> metrics.register("served", served)
        >>> sample = metrics.samples()[0]
        >>> sample.name, sample.kind, sample.field, sample.counter, sample.value
        ('served', 'AtomicInt', 'value', False, 3)
        >>> sample.label, sample.key  # such as ("reason", "full") for drops
        ('', '')
        >>> metrics.unregister("served")
    """

    name: str
    """As registered."""
    kind: str
    """The structure's class."""
    field: str
    """The field of the record that stats() returned."""
    counter: bool
    """True: it only grows. False: it is a gauge."""
    label: str
    """What `key` is ("reason"), or "" if there is no key."""
    key: str
    value: float


_log = logging.getLogger(__name__)


class _Entry:
    """A registered structure, and the last reported values of its counters."""

    def __init__(self, name: str, structure: Any) -> None:
        self.name = name
        self.kind = type(structure).__name__
        self.structure = weakref.ref(structure, self._forget)
        self.highest: dict[tuple[str, str], float] = {}
        self.errors = 0
        self.failing = False

    def _forget(self, _: object) -> None:
        with _lock:
            if _entries.get(self.name) is self:
                del _entries[self.name]

    def never_less(self, field: str, key: str, value: float) -> float:
        """The highest value so far. Because of a call under way, a counter may go back by one; that
        would look like a restart from zero."""
        with _lock:
            highest = max(value, self.highest.get((field, key), value))
            self.highest[field, key] = highest
        return highest

    def failed(self, error: Exception) -> Sample:
        """Log an error when it first occurs, and count it each time."""
        with _lock:
            self.errors += 1
            news, self.failing = not self.failing, True
        if news:
            _log.warning(
                "%r, a %s, cannot be collected, since its stats() raised %r; all others are",
                *(self.name, self.kind, error),
                exc_info=error,
            )
        return self.complaint()

    def complaint(self) -> Sample:
        return Sample(self.name, self.kind, "collect_errors", True, "", "", self.errors)


_entries: dict[str, _Entry] = {}
# Re-entrant: a garbage collection while it is held may call _forget().
_lock = threading.RLock()


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()  # a thread that held the old one does not exist in the child


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def register(name: str, structure: Any) -> None:
    """Collect the structure's stats() from now on, under this name. Holds only a weak reference;
    when the structure is gone, so is its name.

    Errors: ValueError: the name is taken by a living structure, or UTF-8 cannot express it.
        TypeError: the structure has no stats() or no weak references, or the name is no string.
    Complexity: O(1).
    Progress: blocking: a lock guards the names. No operation of a structure takes it.
    Source: weak references; fastprims/metrics.py.
    Example:
        >>> from fastprims import Queue, metrics
        >>> jobs = Queue()
        >>> metrics.register("jobs", jobs)
        >>> metrics.registered() == {"jobs": jobs}
        True
        >>> metrics.unregister("jobs")
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f"a name is a string that is not empty, not {name!r}")
    if name != _utf8(name):
        raise ValueError(f"the name {name!r} has a lone surrogate, which UTF-8 cannot express")
    if not callable(getattr(structure, "stats", None)):
        raise TypeError(f"a {type(structure).__name__} has no stats() to collect")
    entry = _Entry(name, structure)
    with _lock:
        other = _entries.get(name)
        if other is not None and other.structure() is not None:
            raise ValueError(
                f"{name!r} is taken by a {other.kind}: unregister({name!r}) first, or use another "
                "name"
            )
        _entries[name] = entry


def unregister(name: str) -> None:
    """Forget the structure of this name.

    Errors: KeyError: nothing is registered under this name.
    Complexity: O(1).
    Progress: blocking, as register().
    Source: fastprims/metrics.py.
    Example:
        >>> from fastprims import Queue, metrics
        >>> jobs = Queue()
        >>> metrics.register("jobs", jobs)
        >>> metrics.unregister("jobs")
        >>> metrics.registered()
        {}
    """
    with _lock:
        if _entries.pop(name, None) is None:
            raise KeyError(f"nothing is registered under {name!r}")


def registered() -> dict[str, Any]:
    """The structures by name.

    Errors: none.
    Complexity: O(structures).
    Progress: blocking, as register().
    Source: fastprims/metrics.py.
    Example:
        >>> from fastprims import metrics
        >>> metrics.registered()
        {}
    """
    with _lock:
        entries = list(_entries.values())
    found = [(entry.name, entry.structure()) for entry in entries]
    return {name: structure for name, structure in found if structure is not None}


def samples() -> list[Sample]:
    """Call stats() of every registered structure. Needs none of the extra packages. All samples of
    one structure are from one call of its stats(); a counter is never less than it was before.

    A structure whose stats() raises has only one sample, a counter `collect_errors`, which stays
    with it afterwards. A warning goes to the log "fastprims.metrics" when stats() begins to raise.

    Errors: none: what stats() raises is counted, and logged when it begins.
    Complexity: O(structures), and what their stats() cost: O(n) for a Ctrie or a TopicTrie, O(1)
        else.
    Progress: blocking, as register(); no lock is held while stats() is called.
    Source: fastprims/metrics.py.
    Example:
        >>> from fastprims import Queue, metrics
        >>> jobs = Queue()
        >>> jobs.put_many("abc")
        3
        >>> metrics.register("jobs", jobs)
        >>> {sample.field: sample.value for sample in metrics.samples()}["size"]
        3
        >>> metrics.unregister("jobs")
    """
    return [sample for _, sample in _collect()]


def _collect() -> Iterator[tuple[_Entry, Sample]]:
    with _lock:
        entries = list(_entries.values())
    for entry in entries:
        structure = entry.structure()
        if structure is not None:
            for sample in _samples_or_complaint(entry, structure):
                yield entry, sample


def _samples_or_complaint(entry: _Entry, structure: Any) -> list[Sample]:
    try:
        record = structure.stats()
        found = [
            sample
            for field in dataclasses.fields(record)
            for sample in _samples_of(entry, field, getattr(record, field.name))
        ]
    except Exception as error:  # noqa: BLE001 # it must not affect the other structures
        return [entry.failed(error)]
    entry.failing = False
    return [*found, entry.complaint()] if entry.errors else found


def _samples_of(entry: _Entry, field: dataclasses.Field[Any], value: Any) -> Iterator[Sample]:
    if field.metadata.get("metric") == NO_METRIC["metric"]:
        return
    counter = field.metadata.get("metric") == COUNTER["metric"]
    label = field.metadata.get("label", "key") if isinstance(value, Mapping) else ""
    for key, number in value.items() if isinstance(value, Mapping) else [("", value)]:
        if isinstance(number, (int, float)):
            number = +number  # makes a bool an int
            text = _utf8(str(key))
            shown = entry.never_less(field.name, text, number) if counter else number
            yield Sample(entry.name, entry.kind, field.name, counter, label, text, shown)


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _need(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"exporting takes the package {module.partition('.')[0]!r}, which cannot be imported "
            f"({error}): pip install 'fastprims[metrics]'"
        ) from error


class Collector:
    """A collector for prometheus_client: after `REGISTRY.register(Collector())`, the metrics that
    the process exposes contain those of fastprims.

    Errors: ImportError: prometheus_client is missing.
    Complexity: as samples().
    Progress: as samples().
    Source: the client's interface of custom collectors; fastprims/metrics.py.
    Example:
        >>> from prometheus_client import CollectorRegistry
        >>> from fastprims import Queue, metrics
        >>> jobs = Queue()
        >>> metrics.register("jobs", jobs)
        >>> registry = CollectorRegistry()
        >>> registry.register(metrics.Collector())  # calls describe(), and later collect()
        >>> registry.get_sample_value("fastprims_size", {"name": "jobs", "kind": "Queue"})
        0
        >>> metrics.unregister("jobs")
    """

    def __init__(self) -> None:
        self._core = _need("prometheus_client.core")

    def describe(self) -> list[Any]:
        """Nothing: the metrics depend on what is registered."""
        return []

    def collect(self) -> list[Any]:
        """Metric families, one for each field of any structure's stats()."""
        families: dict[tuple[str, bool, str], Any] = {}
        for sample in samples():
            labels = [sample.name, sample.kind]
            if sample.label:
                labels.append(sample.key)
            family = families.get(sample[2:5])
            if family is None:
                family = families[sample[2:5]] = self._family(sample)
            family.add_metric(labels, sample.value)
        return list(families.values())

    def _family(self, sample: Sample) -> Any:
        core = self._core
        make = core.CounterMetricFamily if sample.counter else core.GaugeMetricFamily
        labels = ["name", "kind", *([_identifier(sample.label)] if sample.label else [])]
        text = f"{sample.field} of fastprims structures, as their stats() say"
        return make(f"fastprims_{_identifier(sample.field)}", text, labels=labels)


def openmetrics() -> str:
    """All registered structures as OpenMetrics text.

    Errors: ImportError: prometheus_client is missing.
    Complexity: as samples().
    Progress: as samples().
    Source: the OpenMetrics text format, by prometheus_client; fastprims/metrics.py.
    Example:
        >>> from fastprims import metrics
        >>> metrics.openmetrics()
        '# EOF\\n'
    """
    registry = _need("prometheus_client").CollectorRegistry()
    registry.register(Collector())
    text: bytes = _need("prometheus_client.openmetrics.exposition").generate_latest(registry)
    return text.decode()


class StatsdSender:
    """StatsdSender(client=None, *, prefix="fastprims")

    Each call of send() sends the counts of the registered structures to statsd. It sends a
    counter as its increment since the last call (from zero, for a structure that is new to this
    sender), and a gauge as its value. The names are `<prefix>.<name>.<field>`, with `.<key>` at the
    end for a mapping. Characters that statsd uses itself become "_". Characters that are not ASCII,
    which statsd does not accept, become their numbers: "größe" is sent as "gr_f6__df_e".

    `client` is a statsd.StatsClient, or any object with its `pipeline()`. Without one, a
    StatsClient for localhost:8125 is made.

    Errors: ImportError: no client was given, and statsd is missing. send() raises what the client
        raises.
    Complexity: as samples().
    Progress: blocking: calls of send() come one after the other.
    Source: statsd's line protocol, by the client; fastprims/metrics.py.
    Example:
        >>> import statsd
        >>> from fastprims import metrics
        >>> sender = metrics.StatsdSender(statsd.StatsClient("localhost", 8125), prefix="shop")
        >>> sender.send()
    """

    def __init__(self, client: Any = None, *, prefix: str = "fastprims") -> None:
        self._client = _need("statsd").StatsClient() if client is None else client
        self._prefix = ".".join(map(_plain, prefix.split(".")))
        self._sent: weakref.WeakKeyDictionary[_Entry, dict[tuple[str, str], float]]
        self._sent = weakref.WeakKeyDictionary()
        self._sending = threading.Lock()

    def send(self) -> None:
        """Send everything now. Call it every few seconds, from one thread."""
        with self._sending, self._client.pipeline() as pipe:
            for entry, sample in _collect():
                parts = [self._prefix, *map(_plain, (sample.name, sample.field))]
                if sample.label:
                    parts.append(_plain(sample.key))
                if sample.counter:
                    sent = self._sent.setdefault(entry, {})
                    key = sample.field, sample.key
                    if added := sample.value - sent.get(key, 0):
                        pipe.incr(".".join(parts), added)
                        sent[key] = sample.value
                else:
                    pipe.gauge(".".join(parts), sample.value)


def _identifier(text: str) -> str:
    return _plain(text).replace("-", "_")


def _plain(text: str) -> str:
    return "".join(map(_plain_character, text))


def _plain_character(c: str) -> str:
    if not c.isascii():
        return f"_{ord(c):x}_"
    return c if c.isalnum() or c in "-_" else "_"
