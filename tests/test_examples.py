"""The example programs: they end, with the right status and the right results.

Each runs in a process of its own, with limits that let it end in seconds. Results are asserted,
times never.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fastprims

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PROGRAMS = sorted(path.name for path in EXAMPLES.glob("[!_]*.py"))
QUEUES = ("stdlib", "fastprims")
LIMIT = 60.0


def environment() -> dict[str, str]:
    """The child imports this process's fastprims, even if that is not an installed one."""
    package = Path(fastprims.__file__).resolve().parent.parent
    paths = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONFAULTHANDLER": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def run(*command: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        env=environment(),
        check=False,
    )
    assert done.returncode == status, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def run_json(folder: Path, program: str, *arguments: str) -> dict[str, Any]:
    target = folder / "results.json"
    run(str(EXAMPLES / program), *arguments, "--json", str(target))
    results = json.loads(target.read_text(encoding="utf-8"))
    assert isinstance(results, dict)
    return results


def run_snippet(source: str, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    """A program that can import the examples: `arguments` are its sys.argv[1:]."""
    preamble = f"import sys\nsys.path.insert(0, {str(EXAMPLES)!r})\n"
    return run("-c", preamble + source, *arguments, status=status)


def test_the_readme_lists_every_program() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [program for program in PROGRAMS if f"`{program}`" not in text] == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_explains_itself(program: str) -> None:
    assert "usage:" in run(str(EXAMPLES / program), "--help").stdout


# --- pipeline.py


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Sources with 11 identifiers in all, 6 of them distinct, and four files to be skipped."""
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    (root / "site-packages").mkdir()
    (root / "a.py").write_bytes(b"def f(x, y):\n    return x + y\n")
    (root / "b.py").write_bytes(b"f(x)\n")
    (root / "empty.py").write_bytes(b"")
    (root / "sub" / "latin.py").write_bytes("# coding: latin-1\nété = f\n".encode("latin-1"))
    (root / "sub" / "crlf.py").write_bytes(b"\xef\xbb\xbfif m:\r\n    n\r\n")
    (root / "bad_name.py").write_bytes(b"# coding: no-such-encoding\n")
    (root / "bad_byte.py").write_bytes(b"x\nx\nx = '\xff'\n")
    (root / "sub" / "open.py").write_bytes(b"lost = (\n")
    (root / "sub" / "dedent.py").write_bytes(b"if x:\n        y\n    z\n")
    (root / "site-packages" / "other.py").write_bytes(b"unseen\n")
    (root / "notes.txt").write_bytes(b"unseen\n")
    return root


COUNTED = {"f": 3, "x": 3, "y": 2, "été": 1, "m": 1, "n": 1}


@pytest.mark.parametrize("grain", ["file", "chunk", "token"])
def test_pipeline_counts_a_known_tree(tree: Path, tmp_path: Path, grain: str) -> None:
    options = ("--bound", "1", "--readers", "2", "--workers", "3", "--chunk", "2", "--rounds", "2")
    results = run_json(tmp_path, "pipeline.py", "--root", str(tree), "--grain", grain, *options)
    assert results["files"] == 9
    assert results["skipped"] == {"undecodable": 2, "untokenizable": 2}
    assert results["identifiers"] == sum(COUNTED.values())
    assert results["distinct"] == len(COUNTED)
    assert results["digest"] == hashlib.sha256(repr(sorted(COUNTED.items())).encode()).hexdigest()
    messages = {"file": 4, "chunk": 6, "token": 11}[grain] + 4
    assert results["queue_items"] == 2 * 9 + messages
    assert {name: len(times) for name, times in results["seconds"].items()} == {
        "stdlib": 2,
        "fastprims": 2,
    }


@pytest.mark.parametrize("grain", ["file", "chunk", "token"])
def test_pipeline_counts_the_standard_library_alike(tmp_path: Path, grain: str) -> None:
    shape = ("--limit", "25", "--grain", grain)
    both = run_json(tmp_path, "pipeline.py", *shape)
    alone = run_json(tmp_path, "pipeline.py", *shape, "--queue", "stdlib", "--workers", "1")
    assert both["files"] == 25
    assert both["identifiers"] > 1000
    facts = ("files", "skipped", "identifiers", "distinct", "digest", "queue_items")
    assert [both[fact] for fact in facts] == [alone[fact] for fact in facts]


@pytest.mark.parametrize("name", QUEUES)
def test_pipeline_needs_only_the_library_it_was_told_to_use(name: str) -> None:
    absent = {"stdlib": "fastprims", "fastprims": "no_such_module"}[name]
    source = """
sys.modules[sys.argv[1]] = None
import pipeline
sys.exit(pipeline.main(["--queue", sys.argv[2], "--limit", "3"]))
"""
    assert name in run_snippet(source, absent, name).stdout


STAGES = ("lister", "reader", "tokenizer", "collector")


@pytest.mark.parametrize("name", QUEUES)
@pytest.mark.parametrize("stage", STAGES)
def test_pipeline_ends_when_a_worker_fails(name: str, stage: str) -> None:
    """Whichever stage fails: the others wait, in put() before it and in get() behind it."""
    source = """
import threading
from _shared import queue_module
from _stages import Pipeline, WorkerFailed

name, failing = sys.argv[1:]
lock = threading.Lock()
seen = 0

def work(stage):
    def do(item):
        global seen
        if stage == failing:
            with lock:
                seen += 1
                if seen == 50:
                    raise ValueError("the fiftieth")
        return () if stage == "collector" else (item, item)
    return do

pipeline = Pipeline(queue_module(name), 1)
links = [pipeline.link() for _ in range(3)]
pipeline.stage("lister", work("lister"), items=range(10**9), outbox=links[0])
pipeline.stage("reader", work("reader"), inbox=links[0], outbox=links[1], workers=2)
pipeline.stage("tokenizer", work("tokenizer"), inbox=links[1], outbox=links[2], workers=3)
pipeline.stage("collector", work("collector"), inbox=links[2])
try:
    pipeline.run()
except WorkerFailed as error:
    print(error, "|", threading.active_count())
"""
    message, threads = run_snippet(source, name, stage).stdout.strip().split(" | ")
    assert message.startswith(f"{stage}-")
    assert message.endswith("failed: ValueError: the fiftieth")
    assert threads == "1"


@pytest.mark.skipif(sys.platform == "win32", reason="a symbolic link needs a privilege there")
@pytest.mark.parametrize("name", QUEUES)
def test_pipeline_reports_a_file_it_cannot_read(tree: Path, name: str) -> None:
    (tree / "c.py").symlink_to(tree / "nowhere.py")
    program = str(EXAMPLES / "pipeline.py")
    done = run(program, "--root", str(tree), "--queue", name, status=1)
    assert "reader-" in done.stderr
    assert "FileNotFoundError" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT can be sent to one process there")
@pytest.mark.parametrize("name", QUEUES)
@pytest.mark.parametrize("busy", ["collector", "reader"])
def test_pipeline_ends_on_ctrl_c(name: str, busy: str) -> None:
    """A slow collector keeps the others in put(), slow readers keep them in get()."""
    source = """
import os, signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job inherits "ignore"
import pipeline

def slowly(function):
    def wrapped(*args):
        os.write(1, b"busy\\n")  # in one piece, whichever thread writes
        time.sleep(0.1)
        return function(*args)
    return wrapped

if sys.argv[2] == "collector":
    pipeline.Tally.add = slowly(pipeline.Tally.add)
else:
    pipeline.read_source = slowly(pipeline.read_source)
sys.exit(pipeline.main(["--queue", sys.argv[1], "--grain", "token", "--bound", "2"]))
"""
    preamble = f"import sys\nsys.path.insert(0, {str(EXAMPLES)!r})\n"
    with subprocess.Popen(
        [sys.executable, "-c", preamble + source, name, busy],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as child:
        try:
            assert child.stdout is not None
            assert [child.stdout.readline() for _ in range(5)] == ["busy\n"] * 5
            child.send_signal(signal.SIGINT)
            _, errors = child.communicate(timeout=LIMIT)
        finally:
            child.kill()
    assert child.returncode == 130, errors
    assert errors == "pipeline: interrupted\n"


# --- executor.py


def test_executor_gives_the_same_results_on_every_queue(tmp_path: Path) -> None:
    options = ("--limit", "100", "--tasks", "3000", "--rounds", "2", "--workers", "4")
    results = run_json(tmp_path, "executor.py", *options)
    assert results["files"] == 100
    assert results["cancelled"] == {"plain": 100, "subclass": 100, "patched": 100}
    assert len(results["seconds"]) == 2


def test_executor_replacement_reaches_what_it_should_and_nothing_else() -> None:
    source = """
import queue
from concurrent.futures import ThreadPoolExecutor
import executor, fastprims, fastprims.queue

def kind(pool):
    with pool:
        assert list(pool.map(executor.identity, range(100))) == list(range(100))
        return type(pool._work_queue)

before = ThreadPoolExecutor(2)
with executor.executors_on(fastprims.queue):
    inside = ThreadPoolExecutor(2)
try:
    with executor.executors_on(fastprims.queue):
        raise KeyError
except KeyError:
    after = ThreadPoolExecutor(2)
assert kind(before) is kind(after) is queue.SimpleQueue
assert kind(inside) is kind(executor.FastThreadPoolExecutor(2)) is fastprims.SimpleQueue
"""
    run_snippet(source)


@pytest.mark.parametrize("end", ["dropped", "left to the interpreter"])
def test_executor_threads_end_without_a_shutdown(end: str) -> None:
    """A weak reference's callback, or the interpreter's exit, tells the waiting threads."""
    source = """
import gc, threading
import executor

pool = executor.FastThreadPoolExecutor(4)
barrier = threading.Barrier(4)
tasks = [pool.submit(barrier.wait) for _ in range(4)]
assert sorted(task.result() for task in tasks) == [0, 1, 2, 3]
threads = list(pool._threads)
assert len(threads) == 4
if sys.argv[1] == "dropped":
    del pool, tasks
    gc.collect()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
"""
    run_snippet(source, end)


# --- logging_listener.py


def test_logging_delivers_every_record_once_and_in_order(tmp_path: Path) -> None:
    options = ("--threads", "6", "--records", "400", "--rounds", "2")
    results = run_json(tmp_path, "logging_listener.py", *options)
    assert results["records"] == 2400
    kinds = {f"{module} {kind}" for module in QUEUES for kind in ("Queue", "SimpleQueue")}
    assert set(results["seconds"]) == set(results["seconds_queue_alone"]) == kinds


@pytest.mark.parametrize("fault", ["lost", "doubled", "reordered"])
def test_logging_notices_a_queue_that_is_wrong(fault: str) -> None:
    """The check itself is worth nothing if it cannot fail."""
    source = """
import queue
import threading
import logging_listener

class Faulty(queue.SimpleQueue):
    mine = threading.local()  # another thread's record in between would undo the fault
    def put_nowait(self, record):
        if getattr(record, "args", None) or getattr(record, "message", "").endswith(" 7"):
            if sys.argv[1] == "lost":
                return
            if sys.argv[1] == "doubled":
                self.put(record)
            if sys.argv[1] == "reordered":
                self.mine.held = record
                return
        self.put(record)
        if getattr(self.mine, "held", None) is not None:
            self.put(self.mine.held)
            self.mine.held = None

queue.SimpleQueue, real = Faulty, queue.SimpleQueue
logging_listener.KINDS = ("SimpleQueue",)
sys.exit(logging_listener.main(
    ["--queue", "stdlib", "--threads", "2", "--records", "20", "--rounds", "1"]))
"""
    assert "lost, doubled or reordered" in run_snippet(source, fault, status=1).stderr


# --- backpressure.py


def test_backpressure_stores_what_fits_and_says_so(tmp_path: Path) -> None:
    options = ("--items", "5000", "--batch", "7", "--bound", "3", "--rounds", "2")
    results = run_json(tmp_path, "backpressure.py", *options)
    waiting = "put(item), a consumer takes some"
    assert {way: stored for way, stored in results["stored"].items() if way != waiting} == {
        "put_nowait(item)": 8,
        "put(item, timeout=0.05)": 8,
        "try_put(item)": 8,
        "put_many(items, block=False)": 8,
    }
    assert results["stored"][waiting] == 12
    assert results["endings"] == {
        "shutdown()": {"received": 8, "dropped": 0, "producer": "ShutDown"},
        "shutdown(immediate=True)": {"received": 0, "dropped": 8, "producer": "ShutDown"},
    }
    assert len(results["seconds"]) == 6


# --- metrics.py


def test_metrics_are_scraped_over_http(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    samples = run_json(tmp_path, "metrics.py", "--items", "500")["samples"]
    found = {(metric, labels): (kind, value) for metric, kind, labels, value in samples}
    jobs, recent = "kind=Queue, name=jobs", "kind=BoundedChannel, name=recent"
    assert found["fastprims_puts_total", jobs] == ("counter", 500)
    assert found["fastprims_gets_total", jobs] == ("counter", 500)
    assert found["fastprims_size", jobs] == ("gauge", 0)
    assert found["fastprims_puts_total", recent] == ("counter", 500)
    assert found["fastprims_size", recent] == ("gauge", 100)
    drops = ("fastprims_drops_total", f"{recent}, reason=overflow-oldest")
    assert found[drops] == ("counter", 400)


def test_metrics_says_what_is_missing() -> None:
    source = """
sys.modules["prometheus_client"] = None
import metrics
sys.exit(metrics.main([]))
"""
    assert "pip install 'fastprims[metrics]'" in run_snippet(source, status=1).stderr


# --- bus.py


def test_bus_delivers_every_message(tmp_path: Path) -> None:
    result = run_json(tmp_path, "bus.py", "--units", "5", "--readings", "200")["results"]
    assert result["published"] == result["archived"] == 5 * 220
    assert result["alarms"] == result["paged"] == 5 * 20
    assert result["shown"] + result["overtaken"] == result["offered"] <= 5 * 200


def test_bus_notices_a_message_that_is_lost() -> None:
    source = """
import bus

publish = bus.Bus.publish
bus.Bus.publish = lambda self, topic, value: value == 9 or publish(self, topic, value)
sys.exit(bus.main(sys.argv[1:]))
"""
    done = run_snippet(source, "--units", "2", "--readings", "20", status=1)
    assert "not accounted for" in done.stderr


# --- crawler.py


def test_crawler_fetches_every_page_once(tmp_path: Path) -> None:
    options = ("--pages", "150", "--words", "20", "--fetchers", "7", "--threads", "3")
    result = run_json(tmp_path, "crawler.py", *options, "--bound", "2")["results"]
    assert result["served"] == result["fetched"] == 150
    assert result["words"] == 150 * 20


def test_crawler_notices_a_page_that_is_lost() -> None:
    source = """
import crawler

offer = crawler.Crawl.offer
crawler.Crawl.offer = lambda self, address: address == "/7" or offer(self, address)
sys.exit(crawler.main(["--pages", "20", "--words", "5"]))
"""
    assert "lost" in run_snippet(source, status=1).stderr


# --- sensors.py


def test_sensors_are_all_heard(tmp_path: Path) -> None:
    options = ("--sensors", "5", "--readings", "300", "--bound", "2", "--every", "0.001")
    result = run_json(tmp_path, "sensors.py", *options)["results"]
    assert result["received"] == result["sent"] == 1500
    assert result["reports"] > 0 and len(result["answers"]) == 1


def test_sensors_notices_a_reading_that_is_lost() -> None:
    source = """
import sensors

hear = sensors.Collector.hear
sensors.Collector.hear = lambda self, sensor, reading: reading == 7 or hear(self, sensor, reading)
sys.exit(sensors.main(["--sensors", "3", "--readings", "500"]))
"""
    assert "lost" in run_snippet(source, status=1).stderr


# --- service.py

SMALL_LOAD = ("--load", "3", "--seconds", "0.5", "--workers", "2", "--bound", "4")


def test_service_accounts_for_every_request(tmp_path: Path) -> None:
    everything = run_json(tmp_path, "service.py", *SMALL_LOAD)
    without, limited = (everything["results"][f"with{out} limits"] for out in ("out", ""))
    assert without["offered"] == limited["offered"] == 600
    assert (without["served"], without["shed"]) == (600, 0)
    assert limited["served"] + limited["shed"] == 600
    assert limited["served"] == limited["served_by_workers"] > 0
    assert limited["shed"] > 0
    assert 0 < everything["reports"] <= limited["shed"]
    for result in (without, limited):
        assert sum(part["offered"] for part in result["parts"]) == 600
        assert sum(part["served"] for part in result["parts"]) == result["served"]
    assert all(part["waiting"] <= 4 for part in limited["parts"])


def test_service_draws_its_curves(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "service.png"
    run(str(EXAMPLES / "service.py"), *SMALL_LOAD, "--plot", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_service_notices_a_request_that_is_lost() -> None:
    source = """
import service

offer = service.WithLimits.offer
service.WithLimits.offer = lambda self, request: request.number == 7 or offer(self, request)
service.PATIENCE = 0.5
sys.exit(service.main(sys.argv[1:]))
"""
    assert "not as many answered" in run_snippet(source, *SMALL_LOAD, status=1).stderr


# --- workers.py


@pytest.mark.skipif(sys.platform != "linux", reason="ShmQueue is for Linux")
def test_workers_that_are_killed_lose_no_answer(tmp_path: Path) -> None:
    options = ("--limit", "60", "--tasks", "300", "--kill", "3", "--rounds", "1")
    results = run_json(tmp_path, "workers.py", *options)
    assert (results["files"], results["killed"]) == (60, 3)
    ways = {f"{queue}, {what}" for queue in QUEUES for what in ("files", "nothing")}
    assert set(results["seconds"]) == ways


def test_percentiles_agree_with_sorting() -> None:
    source = """
import _load

values = [n / 1000 for n in range(1, 1001)]
assert _load.percentile([], 99) is None
for usable in (_load._may_import_hdrhistogram(), False):
    _load._may_import_hdrhistogram = lambda usable=usable: usable
    assert abs(_load.percentile(values, 50) - 0.5) < 0.002
    assert abs(_load.percentile(values, 99) - 0.99) < 0.002
    assert abs(_load.percentile(values, 100) - 1) < 0.002
"""
    run_snippet(source)
