"""Counters that leave the process: OpenMetrics for Prometheus, and statsd.

    from fastprims import BoundedChannel, metrics

    jobs = BoundedChannel(1000, overflow="drop_oldest")
    metrics.register("jobs", jobs)
    print(metrics.openmetrics())

Whatever has a stats() method that returns a dataclass can be registered. Its fields become metrics
`fastprims_<field>` with the labels `name` (as registered) and `kind` (the class); what stats() says
to be a counter is one, everything else is a gauge; of a field that is a mapping each key gets a
sample of its own, with the key in one more label (`reason` for drops). Registering keeps nothing
alive, and costs the structures nothing: they are asked when somebody collects.

Exporting takes one of the packages of the extra `fastprims[metrics]`: prometheus_client or statsd.
Everything here may be called by any thread.
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
    """One number of one structure, at the moment of collecting."""

    name: str
    """As registered."""
    kind: str
    """The structure's class."""
    field: str
    """Of what stats() returned."""
    counter: bool
    """Only grows; otherwise a gauge."""
    label: str
    """What `key` is ("reason"), or "" where there is none."""
    key: str
    value: float


_log = logging.getLogger(__name__)


class _Entry:
    """A registered structure, and what its counters were said to be."""

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
        """A counter that went back by one, because of a call under way, would pass for one that
        started again from zero."""
        with _lock:
            highest = max(value, self.highest.get((field, key), value))
            self.highest[field, key] = highest
        return highest

    def failed(self, error: Exception) -> Sample:
        """Tell the log of it when it begins, and the metrics each time."""
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
# Re-entrant: a collection inside of it may call _forget().
_lock = threading.RLock()


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()  # the other threads, which might hold it, are not there


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def register(name: str, structure: Any) -> None:
    """Collect the structure's stats() from now on, under this name. Holds a weak reference only;
    when the structure is gone, so is its name. Raises ValueError if the name is taken by a living
    structure, TypeError if this one has no stats() or no weak references.
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
    """Forget the structure of this name. Raises KeyError if there is none."""
    with _lock:
        if _entries.pop(name, None) is None:
            raise KeyError(f"nothing is registered under {name!r}")


def registered() -> dict[str, Any]:
    """The structures by name."""
    with _lock:
        entries = list(_entries.values())
    found = [(entry.name, entry.structure()) for entry in entries]
    return {name: structure for name, structure in found if structure is not None}


def samples() -> list[Sample]:
    """Ask every registered structure. Needs none of the extra packages. What is from one structure
    is from one call of its stats(); a counter is never less than it was before.

    Of a structure whose stats() raises there is nothing but a counter `collect_errors`, which stays
    with it, and a warning in the log "fastprims.metrics" when that begins.
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
    except Exception as error:  # noqa: BLE001 # which is not the others' affair
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
            number = +number  # of a bool, the int
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
    """A collector for prometheus_client: `REGISTRY.register(Collector())`, and fastprims is part of
    whatever the process exposes. Raises ImportError if prometheus_client is missing.
    """

    def __init__(self) -> None:
        self._core = _need("prometheus_client.core")

    def describe(self) -> list[Any]:
        """Nothing: what there will be depends on what is registered."""
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
    """All registered structures as OpenMetrics text. Raises ImportError if prometheus_client is
    missing.
    """
    registry = _need("prometheus_client").CollectorRegistry()
    registry.register(Collector())
    text: bytes = _need("prometheus_client.openmetrics.exposition").generate_latest(registry)
    return text.decode()


class StatsdSender:
    """StatsdSender(client=None, *, prefix="fastprims")

    Sends what is registered to statsd, each time send() is called: counters as what was added since
    the last time (from zero on, for a structure that is new to this sender), gauges as they are, as
    `<prefix>.<name>.<field>`, with `.<key>` behind it for a mapping. Characters that statsd uses
    itself become "_", and those that are not ASCII, which it does not take, their numbers: "größe"
    is sent as "gr_f6__df_e".

    `client` is a statsd.StatsClient, or whatever has its `pipeline()`; without one, a StatsClient
    for localhost:8125 is made. Raises ImportError if that takes statsd and it is missing.
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
