"""fastprims.metrics: what is registered is exported, typed right, and not kept alive."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import importlib
import importlib.util
import re
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.isolate import needs_fork, run_child
from support.kinds import OURS, Kind
from support.threads import run_threads

import fastprims
from fastprims import BoundedChannel, Queue, metrics

prometheus = pytest.mark.skipif(
    importlib.util.find_spec("prometheus_client") is None, reason="needs prometheus_client"
)
needs_statsd = pytest.mark.skipif(importlib.util.find_spec("statsd") is None, reason="needs statsd")


@pytest.fixture(autouse=True)
def nothing_registered() -> Iterator[None]:
    assert metrics.registered() == {}
    yield
    for name in metrics.registered():
        metrics.unregister(name)


def flooded() -> Any:
    """A channel with 3 of 8 items in it, 1 taken, 3 dropped for want of room, 1 oversized."""
    q: Any = BoundedChannel(3, overflow="drop_oldest", max_item_size=2)
    q.put("a")
    q.get()
    for word in "bcdefg":
        q.put(word)
    with pytest.raises(fastprims.ItemTooLarge):
        q.put("long")
    return q


def values(found: list[metrics.Sample]) -> dict[tuple[str, str, str], float]:
    return {(sample.name, sample.field, sample.key): sample.value for sample in found}


def types(structure: Any) -> dict[str, str]:
    """The fields of its stats() that are metrics, as the dataclass says what they are."""
    fields = dataclasses.fields(structure.stats())
    marks = {field.name: field.metadata.get("metric", "gauge") for field in fields}
    return {name: mark for name, mark in marks.items() if mark != "none"}


# Registering.


@pytest.mark.parametrize("kind", OURS, ids=str)
def test_every_structure_can_be_registered(kind: Kind) -> None:
    q = kind.make()
    q.put(1)
    metrics.register("mine", q)
    assert metrics.registered() == {"mine": q}
    found = {sample.field: sample for sample in metrics.samples()}
    assert {
        name: "counter" if sample.counter else "gauge" for name, sample in found.items()
    } == types(q)
    assert found["puts"].counter and not found["size"].counter
    assert found["puts"].value == found["size"].value == 1
    assert found["puts"].kind == kind.cls.__name__


def test_what_is_no_queue_can_be_registered_too() -> None:
    flag, limiter = fastprims.AtomicFlag(), fastprims.RateLimiter(10, 5)
    flag.test_and_set()
    assert limiter.try_acquire(5) and not limiter.try_acquire(5)
    metrics.register("flag", flag)
    metrics.register("limiter", limiter)
    metrics.register("number", fastprims.AtomicInt(7))  # gone at once
    found = {(sample.name, sample.field): sample for sample in metrics.samples()}
    for name, structure in (("flag", flag), ("limiter", limiter)):
        counters = {f for (of, f), sample in found.items() if of == name and sample.counter}
        assert counters == {f for f, mark in types(structure).items() if mark == "counter"}
    assert found["limiter", "granted"].value == 5
    assert found["flag", "value"].value == 1
    assert type(found["flag", "value"].value) is int


def test_a_name_belongs_to_one_living_structure() -> None:
    first, second = Queue[int](), Queue[int]()
    metrics.register("q", first)
    with pytest.raises(ValueError, match="unregister"):
        metrics.register("q", second)
    with pytest.raises(ValueError):
        metrics.register("q", first)
    metrics.unregister("q")
    metrics.register("q", second)
    assert metrics.registered() == {"q": second}
    metrics.unregister("q")
    with pytest.raises(KeyError, match="nothing is registered"):
        metrics.unregister("q")


@pytest.mark.parametrize("name", ["", None, 3, b"q"])
def test_a_name_is_a_string(name: Any) -> None:
    with pytest.raises(TypeError):
        metrics.register(name, Queue())


def test_what_has_no_stats_is_refused() -> None:
    with pytest.raises(TypeError, match=r"no stats\(\)"):
        metrics.register("q", [])
    assert metrics.registered() == {}


def test_registering_keeps_nothing_alive() -> None:
    q: Any = Queue()
    q.put(q)  # collected by the collector only
    metrics.register("q", q)
    metrics.register("r", Queue())
    del q
    gc.collect()
    assert metrics.registered() == {}
    assert metrics.samples() == []
    metrics.register("q", other := Queue[int]())
    assert metrics.registered() == {"q": other}


def test_any_class_with_a_dataclass_of_stats_will_do() -> None:
    @dataclasses.dataclass
    class Record:
        level: float = 1.5
        calls: int = dataclasses.field(default=7, metadata={"metric": "counter"})
        by_size: Any = dataclasses.field(default_factory=lambda: {"s": 1, "l": 2})
        title: str = "not a number"

    class Mine:
        def stats(self) -> Record:
            return Record()

    mine = Mine()
    metrics.register("mine", mine)
    assert [sample[2:] for sample in metrics.samples()] == [
        ("level", False, "", "", 1.5),
        ("calls", True, "", "", 7),
        ("by_size", False, "key", "s", 1),
        ("by_size", False, "key", "l", 2),
    ]


def test_a_counter_never_goes_back() -> None:
    @dataclasses.dataclass
    class Record:
        calls: int = dataclasses.field(metadata={"metric": "counter"})
        level: int = 0

    class Wavering:
        def __init__(self) -> None:
            self.said = [5, 4, 6, 3]

        def stats(self) -> Record:
            n = self.said.pop(0)
            return Record(n, n)

    wavering = Wavering()
    metrics.register("w", wavering)
    seen = [values(metrics.samples()) for _ in range(4)]
    assert [each["w", "calls", ""] for each in seen] == [5, 5, 6, 6]
    assert [each["w", "level", ""] for each in seen] == [5, 4, 6, 3]


def test_threads_register_and_collect_at_once() -> None:
    def churn(i: int) -> None:
        for n in range(100):
            q = Queue[int]()
            name = f"{i}, {n}"  # another thread that collects may keep the last queue a bit longer
            metrics.register(name, q)
            assert values(metrics.samples())[name, "puts", ""] == 0
            if n % 2:
                metrics.unregister(name)
            del q

    run_threads(*[lambda i=i: churn(i) for i in range(8)])  # type: ignore[misc]
    gc.collect()
    assert metrics.registered() == {}


def fork_while_collecting() -> None:
    """Forks while another thread registers and collects all the time."""
    from support.forks import busy, in_child

    from fastprims import Queue, metrics

    def churn(metrics, make) -> None:
        q = make()
        metrics.register("q", q)
        metrics.samples()
        metrics.unregister("q")

    def use(metrics, make) -> None:
        mine = make()
        metrics.register("mine", mine)
        assert "mine" in metrics.registered() and metrics.samples()

    with busy(churn, metrics, Queue, threads=1):
        for _ in range(10):
            in_child(use, metrics, Queue)


@needs_fork
def test_a_forked_child_can_collect() -> None:
    run_child(fork_while_collecting, timeout=80)


# Prometheus.


@prometheus
def test_the_page_is_valid_openmetrics_with_the_right_types() -> None:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    q, plain = flooded(), Queue[int](7)
    metrics.register("flooded", q)
    metrics.register('odd "name"\n\\', plain)
    page = metrics.openmetrics()
    assert page.endswith("# EOF\n")
    families = {family.name: family for family in text_string_to_metric_families(page)}
    assert {name: family.type for name, family in families.items()} == {
        f"fastprims_{name}": mark for name, mark in types(q).items()
    }
    assert families["fastprims_puts"].type == families["fastprims_drops"].type == "counter"
    assert families["fastprims_size"].type == "gauge"
    drops = {
        sample.labels["reason"]: sample.value for sample in families["fastprims_drops"].samples
    }
    assert drops == q.stats().drops
    assert drops["overflow-oldest"] == 3
    assert drops["oversized"] == 1
    names = {(s.labels["name"], s.labels["kind"]) for s in families["fastprims_puts"].samples}
    assert names == {("flooded", "BoundedChannel"), ('odd "name"\n\\', "Queue")}
    assert 'fastprims_puts_total{kind="BoundedChannel",name="flooded"} 7.0' in page


@prometheus
def test_the_collector_fits_into_a_registry() -> None:
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(metrics.Collector())
    assert generate_latest(registry) == b""
    q = flooded()
    metrics.register("q", q)
    assert registry.get_sample_value("fastprims_size", {"name": "q", "kind": "BoundedChannel"}) == 3
    q.get()
    assert b'fastprims_size{kind="BoundedChannel",name="q"} 2.0' in generate_latest(registry)


# statsd.


def test_statsd_gets_what_was_added() -> None:
    lines: list[str] = []

    class Pipe(contextlib.AbstractContextManager[Any]):
        def __exit__(self, *_: object) -> None:
            pass

        def incr(self, stat: str, count: float) -> None:
            lines.append(f"{stat} +{count}")

        def gauge(self, stat: str, value: float) -> None:
            lines.append(f"{stat} ={value}")

    class Client:
        def pipeline(self) -> Pipe:
            return Pipe()

    def sent(sender: metrics.StatsdSender) -> list[str]:
        lines.clear()
        sender.send()
        return lines.copy()

    q = flooded()
    metrics.register("a.b|c:d", q)
    sender = metrics.StatsdSender(Client(), prefix="app")
    assert sent(sender) == [
        "app.a_b_c_d.puts +7",
        "app.a_b_c_d.gets +1",
        "app.a_b_c_d.size =3",
        "app.a_b_c_d.maxsize =3",
        "app.a_b_c_d.drops.overflow-oldest +3",
        "app.a_b_c_d.drops.oversized +1",
    ]
    q.put("h")
    assert sent(sender) == [
        "app.a_b_c_d.puts +1",
        "app.a_b_c_d.size =3",
        "app.a_b_c_d.maxsize =3",
        "app.a_b_c_d.drops.overflow-oldest +1",
    ]
    # Another structure under the same name starts from zero, and so does another sender.
    metrics.unregister("a.b|c:d")
    other = Queue[int]()
    other.put(1)
    metrics.register("a.b|c:d", other)
    assert "app.a_b_c_d.puts +1" in sent(sender)
    assert "fastprims.a_b_c_d.puts +1" in sent(metrics.StatsdSender(Client()))


@needs_statsd
def test_statsd_packets_arrive() -> None:
    import statsd

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(30)
        client = statsd.StatsClient("127.0.0.1", server.getsockname()[1])
        q = flooded()
        metrics.register("q", q)
        metrics.StatsdSender(client).send()
        packet = server.recv(10_000).decode()
    client.close()
    assert "fastprims.q.puts:7|c" in packet.splitlines()
    assert "fastprims.q.size:3|g" in packet.splitlines()
    assert "fastprims.q.drops.overflow-oldest:3|c" in packet.splitlines()


# Without the extra.


@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("prometheus_client", metrics.Collector),
        ("prometheus_client", metrics.openmetrics),
        ("statsd", metrics.StatsdSender),
    ],
)
def test_a_missing_package_is_explained(
    module: str, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=re.escape("pip install 'fastprims[metrics]'")):
        call()
    q = Queue[int]()
    metrics.register("q", q)
    assert metrics.samples()  # which needs nothing


def test_importing_it_needs_no_extra_and_starts_nothing() -> None:
    assert "prometheus_client" not in importlib.import_module("fastprims.metrics").__dict__
    assert not [thread for thread in threading.enumerate() if "statsd" in thread.name]


# What goes wrong.


class Moody:
    """Its stats() raises, or is no record, as it is told."""

    def __init__(self) -> None:
        self.answer: Any = OSError("no clock")

    def stats(self) -> Any:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def test_a_structure_that_raises_is_named_and_hides_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before, moody, after = Queue[int](), Moody(), Queue[int]()
    for name, structure in (("before", before), ("moody", moody), ("after", after)):
        metrics.register(name, structure)
    for answer in (OSError("no clock"), OSError("no clock"), "no record"):
        moody.answer = answer
        found = values(metrics.samples())
        assert found["before", "size", ""] == found["after", "size", ""] == 0
    assert found["moody", "collect_errors", ""] == 3
    assert len(caplog.records) == 1
    assert "'moody'" in caplog.text
    assert "no clock" in caplog.text
    moody.answer = after.stats()
    found = values(metrics.samples())
    assert found["moody", "size", ""] == 0
    assert found["moody", "collect_errors", ""] == 3
    moody.answer = OSError("again")
    metrics.samples()
    assert len(caplog.records) == 2
    moody.answer = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        metrics.samples()


@prometheus
def test_prometheus_gets_any_name() -> None:
    q = Queue[int]()
    metrics.register("größe \N{SNOWMAN}", q)
    moody = Moody()
    metrics.register("moody", moody)
    text = metrics.openmetrics()
    assert 'name="größe \N{SNOWMAN}"' in text
    assert 'fastprims_collect_errors_total{kind="Moody",name="moody"} 1.0' in text


@needs_statsd
def test_statsd_gets_names_in_ascii() -> None:
    import statsd

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(30)
        client = statsd.StatsClient("127.0.0.1", sock.getsockname()[1])
        q, other = Queue[int](), Queue[int]()
        metrics.register("größe", q)
        metrics.register("grüße", other)
        q.put(1)
        metrics.StatsdSender(client, prefix="app.größe").send()
        lines = sock.recv(9999).decode("ascii").splitlines()
    assert "app.gr_f6__df_e.gr_f6__df_e.size:1|g" in lines
    assert "app.gr_f6__df_e.gr_fc__df_e.size:0|g" in lines


def test_a_name_must_be_text_that_can_be_sent() -> None:
    q = Queue[int]()
    with pytest.raises(ValueError, match="surrogate"):
        metrics.register("\udc80", q)
    assert metrics.registered() == {}
