"""The benchmark: its arithmetic, its refusal of broken queues, and a tiny run of all of it."""

from __future__ import annotations

import importlib.util
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))  # at the end: the installed fastprims goes first

from bench.queues import contenders as who
from bench.queues.loops import pair_local
from bench.queues.trials import handoff_trial
from bench.run import peers, stats
from bench.run.case import FRESH, KINDS, Case, Contender, Pairing, own_copy, verify
from bench.run.harness import BenchmarkFailure, Crew
from bench.run.runner import DEFAULT, FULL, QUICK, Bench, planned_kinds, run_case
from bench.session import WorkerFailure, measure_with, run_session
from bench.suite import OTHERS, SUITE, select, wants
from bench.worker import serve

TINY = replace(
    QUICK,
    name="tiny",
    sample_s=0.0005,
    threaded_sample_s=0.001,
    crowd_sample_s=0.001,
    min_rounds=2,
    max_rounds=3,
    case_s=0.1,
    verify_count=256,
    latency_samples=20,
)
HAS_REPORT = all(importlib.util.find_spec(name) for name in ("rich", "matplotlib"))
HAS_HISTOGRAM = importlib.util.find_spec("hdrh") is not None


class Faulty:
    """A queue with a switchable fault; its `get` gives up soon, to keep the tests short."""

    def __init__(self, fault: str) -> None:
        self._queue: queue.Queue[Any] = queue.Queue()
        self._fault = fault
        self._puts = 0
        self._lock = threading.Lock()

    def put(self, item: Any) -> None:
        with self._lock:
            self._puts += 1
            tenth = self._puts % 10 == 0
        if tenth and self._fault == "drops":
            return
        if tenth and self._fault == "raises":
            raise ZeroDivisionError("a fault in put")
        self._queue.put(self._puts if tenth and self._fault == "replaces" else item)
        if tenth and self._fault == "duplicates":
            self._queue.put(item)

    def get(self) -> Any:
        return self._queue.get(timeout=0.5)

    def qsize(self) -> int:
        return self._queue.qsize()


class Backwards(queue.LifoQueue[Any]):
    """Loses nothing, but is not first in, first out."""


def contender(make: Any) -> Contender:
    return Contender("suspect", who.FASTPRIMS, lambda bound: make())


def handoff(suspect: Contender, producers: int = 1, consumers: int = 1) -> Case:
    return Case(
        "handoff",
        "hand-off",
        handoff_trial,
        (who.STD_SIMPLE, suspect),
        (Pairing(suspect, who.STD_SIMPLE),),
        producers=producers,
        consumers=consumers,
        threads=producers + consumers,
    )


@pytest.fixture
def pair_of_threads() -> Iterator[Crew]:
    with Crew(2) as crew:
        yield crew


def test_summarize_known_series() -> None:
    summary = stats.summarize([5.0, 1.0, 4.0, 2.0, 3.0])
    assert (summary.median, summary.q1, summary.q3) == (3.0, 2.0, 4.0)
    assert summary.spread == pytest.approx(2 / 3)


def test_summarize_single_value_has_no_spread() -> None:
    assert stats.summarize([7.0]).as_dict() == {"median": 7.0, "q1": 7.0, "q3": 7.0, "spread": 0.0}


def test_summarize_refuses_nothing() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        stats.summarize([])


def test_speedups_are_taken_round_by_round() -> None:
    assert stats.speedups([10.0, 20.0], [40.0, 20.0]) == [4.0, 1.0]
    with pytest.raises(ValueError):
        stats.speedups([1.0], [1.0, 2.0])


def test_own_copy_shares_no_code_object() -> None:
    copy = own_copy(pair_local)
    assert copy.__code__ is not pair_local.__code__
    q: queue.SimpleQueue[int] = queue.SimpleQueue()
    assert copy(q, q.put, q.get, range(3)) == 2


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("drops", r"queue\.Empty|Empty\(\)|watchdog"),
        ("replaces", "lost 25 of 256 items"),
        ("duplicates", "lost"),
        ("raises", "a fault in put"),
    ],
)
def test_verify_rejects_broken_queue(pair_of_threads: Crew, fault: str, sentence: str) -> None:
    suspect = contender(lambda: Faulty(fault))
    with pytest.raises(BenchmarkFailure, match=sentence):
        verify(handoff(suspect), suspect, pair_of_threads, 256, 10)


def test_verify_says_how_many_items_arrived(pair_of_threads: Crew) -> None:
    suspect = contender(lambda: Faulty("drops"))
    with pytest.raises(BenchmarkFailure, match="90 of 100 items received"):
        verify(handoff(suspect), suspect, pair_of_threads, 100, 10)


def test_verify_rejects_wrong_order() -> None:
    suspect = contender(Backwards)
    case = handoff(suspect)
    # One after the other, so that the consumer meets a backlog that it drains from the wrong end.
    trial = handoff_trial(case, suspect, FRESH, 16, True)
    roles = dict(trial.roles)
    roles["producer 0"]()
    roles["consumer 0"]()
    assert trial.received[0] == sorted(trial.received[0], reverse=True)

    class Replayed:
        def __call__(self, *arguments: Any) -> Any:
            return replace(trial, roles=[("a", lambda: None), ("b", lambda: None)])

    with Crew(2) as crew, pytest.raises(BenchmarkFailure, match="reordered"):
        verify(replace(case, workload=Replayed()), suspect, crew, 16, 10)


def test_timed_run_notices_lost_items_without_collecting(pair_of_threads: Crew) -> None:
    suspect = contender(lambda: Faulty("duplicates"))
    bench = Bench(handoff(suspect), FRESH, TINY, pair_of_threads)
    with pytest.raises(BenchmarkFailure, match="still holds 10 items"):
        bench.sample(suspect, 100)


def test_watchdog_names_the_unfinished_threads() -> None:
    stop = threading.Event()

    def hang() -> None:
        stop.wait(60)

    try:
        crew = Crew(2)
        with crew, pytest.raises(BenchmarkFailure, match="1 of 2 threads unfinished.*stuck one"):
            crew.run([("stuck one", hang), ("other", lambda: None)], 0.2)
    finally:
        stop.set()


def test_broken_queue_fails_the_run() -> None:
    suspect = contender(lambda: Faulty("drops"))
    events: list[dict[str, Any]] = []
    plan = {"effort": replace(TINY, watchdog_s=10.0).as_dict()}
    assert serve(plan, [handoff(suspect, 2, 2)], events.append) == 1
    assert events[-1]["event"] == "failure"
    assert "suspect" in events[-1]["message"]
    assert not any(event["event"] in ("case", "end") for event in events)


def test_failing_worker_fails_the_session() -> None:
    with pytest.raises(WorkerFailure, match="unexpected keyword argument"):
        measure_with(sys.executable, {"effort": {"nonsense": 1}}, lambda python, event: None)


def test_missing_interpreter_fails_the_session(tmp_path: Path) -> None:
    with pytest.raises(WorkerFailure, match="cannot be started"):
        run_session([str(tmp_path / "python")], TINY, lambda python, event: None)


# The long cases are others with more keys.
@pytest.mark.parametrize("case", [c for c in SUITE if not c.only_full], ids=lambda case: case.key)
@pytest.mark.timeout(120)
def test_every_case_runs(case: Case) -> None:
    for kind in KINDS:
        record = run_case(case, kind, replace(TINY, min_rounds=1, max_rounds=1))
        assert [c["key"] for c in record["contenders"]] == [c.key for c in case.contenders]
        assert all(ns > 0 for c in record["contenders"] for ns in c["ns"])


def test_select_takes_patterns() -> None:
    assert select([]) == SUITE
    assert [case.key for case in select(["4x4", "pair-[lp]*"])] == [
        "pair-lifo",
        "pair-priority",
        "4x4",
    ]
    assert [case.key for case in select(["topics-50-50-*"])] == [
        f"topics-50-50-{threads}" for threads in (1, 2, 4)
    ]


def test_long_cases_are_for_full_runs_only() -> None:
    (case,) = select(["map-snapshot-full"])
    assert planned_kinds(case, KINDS, DEFAULT) == planned_kinds(case, KINDS, TINY) == []
    assert planned_kinds(case, KINDS, FULL) == [FRESH]


def test_a_map_that_lost_a_key_fails_the_run() -> None:
    (case,) = select(["map-insert"])

    class Forgetful(dict[int, int]):
        def __setitem__(self, key: int, value: int) -> None:
            if key % 1000:
                super().__setitem__(key, value)

    suspect = Contender("suspect", who.FASTPRIMS, lambda bound: Forgetful(), calls="map")
    with Crew(1) as crew, pytest.raises(BenchmarkFailure, match="49950 keys instead of 50000"):
        verify(case, suspect, crew, 1, 10)


def check_interpreter(result: dict[str, Any]) -> None:
    environment = result["environment"]
    for key in ("python", "gil_enabled", "cores", "cpu", "build_info", "fastprims_version"):
        assert key in environment
    for case in result["cases"]:
        rounds = case["rounds"]
        assert case["ended_by"] in ("spread", "time limit", "round limit")
        assert (case["worst_spread"] <= case["spread_bound"]) == (case["ended_by"] == "spread")
        by_key = {c["key"]: c for c in case["contenders"]}
        assert all(len(c["ns"]) == rounds for c in by_key.values())
        for row in case["ratios"]:
            wanted = stats.speedups(by_key[row["contender"]]["ns"], by_key[row["baseline"]]["ns"])
            assert row["ratios"] == pytest.approx(wanted)
            assert row["median"] == pytest.approx(stats.summarize(wanted).median)
            assert row["reached"] is (None if row["goal"] is None else row["median"] >= row["goal"])


def test_session_measures_every_interpreter_in_turn() -> None:
    seen: list[str] = []
    results = run_session(
        [sys.executable, sys.executable],
        TINY,
        lambda python, event: seen.append(event["event"]),
        only=["pair-lifo", "1x1"],
    )
    assert [name for name in seen if name in ("start", "end")] == ["start", "end"] * 2
    assert len(results["interpreters"]) == 2
    for result in results["interpreters"]:
        assert [(c["key"], c["kind"]) for c in result["cases"]] == [
            ("pair-lifo", FRESH),
            *(("1x1", kind) for kind in KINDS),
        ]
        check_interpreter(result)
    json.dumps(results)


@pytest.mark.skipif(not HAS_REPORT, reason="the report needs rich and matplotlib")
def test_command_writes_json_and_picture(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "--quick", "--out", str(tmp_path)]
    done = subprocess.run(
        [*command, "--only", "pair-bounded", "--only", "latency", "--only", "map-snapshot"]
        + ["--only", "map-memory"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=80,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fastprims.Queue" in done.stdout
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["schema"] == 1
    assert results["effort"]["name"] == "quick"
    (result,) = results["interpreters"]
    check_interpreter(result)
    if HAS_HISTOGRAM:
        assert {"50", "99", "99.9", "99.99"} == set(result["latency"][0]["percentiles_ns"])
    else:
        assert any("hdrhistogram" in reason for reason in result["skipped"])
    assert result["memory"]["bytes_per_key"]["fastprims.Ctrie"] > 0
    assert "memory per key, of 10,000: dict" in done.stdout
    for package in peers.PEERS:
        assert (f"skipped: {package}" in done.stdout) == (peers.load(package)[0] is None)
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(not HAS_REPORT, reason="the report needs rich and matplotlib")
def test_command_refuses_unknown_case(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "pair", "--only", "nothing-like-it"]
        + ["--out", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "no case matches nothing-like-it; there are pair" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="ShmRing is for Linux")
def test_between_processes_every_contender_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from bench import shm

    monkeypatch.setattr(peers, "load", lambda name: (None, f"{name}: not here"))
    results = shm.measure(0.02, sizes=(64, 1 << 17))
    titles = [workload["title"] for workload in results["workloads"]]
    assert titles == ["64 B", "128 KiB", "small tuple", "1 MiB of bytes, as an object"]
    for workload in results["workloads"]:
        ours = workload["ratios"]["contender"]
        assert ours.startswith("Shm")
        others = {"multiprocessing.Queue", "multiprocessing.Pipe"}
        assert set(workload["ratios"]["over"]) == others
        assert all(min(times) > 0 for times in workload["ns"].values())
    assert results["skipped"] == ["faster_fifo: not here"]
    console = Console(width=200, record=True)
    for table in shm.tables(results):
        console.print(table)
    assert "small tuple" in console.export_text()


def test_what_is_no_case_is_measured_by_name_or_by_the_effort() -> None:
    assert [name for name in OTHERS if wants(name, QUICK, [])] == ["map-memory"]
    assert [name for name in OTHERS if wants(name, FULL, [])] == list(OTHERS)
    assert [name for name in OTHERS if wants(name, FULL, ["pair", "nat*"])] == ["native"]
    assert [name for name in OTHERS if wants(name, QUICK, ["sh*", "latency"])] == ["latency", "shm"]


@pytest.mark.skipif(not HAS_REPORT, reason="the report needs rich and matplotlib")
def test_switches_for_parts_add_to_the_run_and_names_choose_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from bench import __main__ as command
    from bench import session, shm

    runs: list[tuple[list[str], bool]] = []

    def run_session(pythons: Any, effort: Any, display: Any, **options: Any) -> dict[str, Any]:
        runs.append((options["only"], options["native"] is not None))
        return {"interpreters": []}

    monkeypatch.setattr(session, "run_session", run_session)
    monkeypatch.setattr(shm, "measure", lambda scale: {"workloads": [], "skipped": []})
    monkeypatch.setattr(shm, "tables", lambda results: [])
    linux = sys.platform == "linux"
    for arguments, only, native, between in (
        (["--shm"], [], False, linux),
        (["--native"], [], True, False),
        (["--only", "shm"], ["shm"], False, linux),
        (["--only", "native"], ["native"], True, False),
        (["--only", "pair", "--shm", "--native"], ["pair"], True, linux),
        (["--full"], [], True, linux),
        (["--quick"], [], False, False),
    ):
        assert command.main([*arguments, "--out", str(tmp_path)]) == 0
        assert runs.pop() == (only, native), arguments
        results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
        assert ("processes" in results) == between, arguments


@pytest.mark.skipif(sys.platform != "linux", reason="ShmRing is for Linux")
def test_between_processes_a_wrong_record_is_noticed() -> None:
    from bench import shm

    pair = shm.Pair(shm.RING, bytes(64))
    try:
        pair.payload = bytes(63)
        with pytest.raises(BenchmarkFailure, match="not what was sent"):
            pair.round(5)
    finally:
        pair.close()
