"""The native measurements: the programs find lost items, what is missing is named, all of it runs."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))  # at the end: the installed fastprims goes first

from bench.native import build as building
from bench.native.contenders import CASES, FASTPRIMS, MPMC, MUTEX, PEER, SPSC, Native
from bench.native.layers import run_layers
from bench.native.session import NativeFailure, run_native, sample
from bench.run.runner import QUICK

TINY = replace(
    QUICK, name="tiny", sample_s=0.0005, threaded_sample_s=0.001, min_rounds=1, max_rounds=2
)
HAS_REPORT = all(importlib.util.find_spec(name) for name in ("rich", "matplotlib"))

needs_compiler = pytest.mark.skipif(
    building.compilers()[0] is None, reason="there is no C compiler"
)


@pytest.fixture(scope="module")
def native() -> dict[str, Any]:
    """One short run of everything, with the peers that are here."""
    return run_native(TINY)


@needs_compiler
@pytest.mark.timeout(300)
def test_every_case_runs(native: dict[str, Any]) -> None:
    assert native["round_trip_ns"] > 0
    assert [record["key"] for record in native["cases"]] == [case.key for case in CASES]
    for record, case in zip(native["cases"], CASES, strict=True):
        measured = {c["key"]: c for c in record["contenders"]}
        ended = set(measured) | set(record["unfinished"])
        assert {c.key for c in case.contenders if c.side != PEER} <= ended
        assert all(ns > 0 for c in measured.values() for ns in c["ns"])
        for row in record["ratios"]:
            assert {row["contender"], row["baseline"]} <= set(measured)
            assert row["reached"] is (None if row["goal"] is None else row["median"] >= row["goal"])
    json.dumps(native)


@needs_compiler
@pytest.mark.timeout(300)
def test_every_contender_is_measured_or_named(native: dict[str, Any]) -> None:
    every = {c.key for case in CASES for c in case.contenders}
    seen = {c["key"] for record in native["cases"] for c in record["contenders"]}
    seen |= {key for record in native["cases"] for key in record["unfinished"]}
    skipped = {reason.partition(": ")[0] for reason in native["skipped"]}
    assert seen | skipped == every
    assert not any(key.startswith("fastprims") for key in skipped)


@needs_compiler
def test_a_missing_library_is_named(tmp_path: Path) -> None:
    absent = Native(
        "absent queue", PEER, "ck.c", header="no/such/header.h", package="libabsent-dev"
    )
    programs = building.build([absent], tmp_path)
    assert programs.paths == {}
    assert programs.skipped == [
        "absent queue: <no/such/header.h> is not installed (Debian: libabsent-dev)"
    ]


@needs_compiler
def test_a_program_that_does_not_compile_is_named(tmp_path: Path) -> None:
    broken = Native("broken", FASTPRIMS, "fastprims.c", ("-DKIND=nonsense", "-DWAITS=0"))
    programs = building.build([broken], tmp_path)
    assert programs.paths == {}
    assert "broken: it does not compile" in programs.skipped[0]


def test_no_compiler_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "compilers", lambda: (None, None))
    programs = building.build([SPSC, MUTEX], tmp_path)
    assert programs.skipped == [f"{c.key}: there is no C compiler" for c in (SPSC, MUTEX)]


FAULTY = """
#include <stdbool.h>
#include <stdint.h>
static uint64_t held, full;
static void *queue_make(uint64_t capacity) { held = full = 0; return &held + (capacity > 9); }
static bool queue_put(void *q, uint64_t item) {
    (void)q;
    if (__atomic_load_n(&full, __ATOMIC_ACQUIRE)) return false;
    held = item;
    __atomic_store_n(&full, 1, __ATOMIC_RELEASE);
    return true;
}
static bool queue_get(void *q, uint64_t *item) {
    (void)q;
    if (!__atomic_load_n(&full, __ATOMIC_ACQUIRE)) return false;
    *item = held == (1ULL << 32 | 7) || held == 7 ? 8 : held;
    __atomic_store_n(&full, 0, __ATOMIC_RELEASE);
    return true;
}
#include "drive.h"
"""


@needs_compiler
@pytest.mark.parametrize("arguments", [("pair", "8", "0.001"), ("1", "1", "8", "0.001")])
def test_a_queue_that_changes_an_item_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "faulty.c").write_text(FAULTY, encoding="ascii")
    for name in ("drive.h", "pin.h"):
        (tmp_path / name).write_bytes((building.PROGRAMS / name).read_bytes())
    monkeypatch.setattr(building, "PROGRAMS", tmp_path)
    programs = building.build([Native("faulty", PEER, "faulty.c")], tmp_path)
    assert programs.skipped == []
    with pytest.raises(NativeFailure, match="items were lost or made up"):
        sample(programs.paths["faulty"], arguments, 60.0)


def test_a_program_that_does_not_end_is_no_result(tmp_path: Path) -> None:
    program = tmp_path / "hangs"
    program.write_text("#!/bin/sh\nexec sleep 60\n", encoding="ascii")
    program.chmod(0o755)
    assert sample(program, ["pair"], 0.2) is None


def test_layers_are_measured() -> None:
    events: list[dict[str, Any]] = []
    run_layers(TINY, events.append)
    (event,) = events
    names = [row["layer"] for row in event["rows"]]
    assert "empty loop" in names and "SPSCRing: put + get" in names
    assert all(ns > 0 for row in event["rows"] for ns in row["ns"])
    assert any("raw.SPSCWords" in name for name in names) != bool(event["skipped"])


@needs_compiler
@pytest.mark.skipif(not HAS_REPORT, reason="the report needs rich and matplotlib")
@pytest.mark.timeout(300)
def test_report_and_picture_show_it(native: dict[str, Any], tmp_path: Path) -> None:
    from rich.console import Console

    from bench.native.report import draw_native, print_native

    events: list[dict[str, Any]] = []
    run_layers(TINY, events.append)
    layers = {"environment": {"name": "here"}, "layers": events[0]["rows"]}
    console = Console(width=170, record=True)
    print_native(console, {"interpreters": [layers], "native": native})
    text = console.export_text()
    assert "what a call costs" in text and f"C: {MPMC.key}" in text
    assert MUTEX.key in text and "100 × 100" in text
    for reason in native["skipped"]:
        assert reason.partition(":")[0] in text
    draw_native(native, tmp_path / "native.png")
    assert (tmp_path / "native.png").read_bytes().startswith(b"\x89PNG")
