"""build_info(): what it says is so."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig

import fastprims

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def test_it_answers_every_question_with_text_or_a_number() -> None:
    info = fastprims.build_info()
    assert set(info) >= {
        "threading",
        "atomics",
        "mpmc",
        "items",
        "cacheline",
        "parking",
        "compiler",
    }
    assert all(isinstance(value, (str, int)) and value for value in info.values()), info


def test_every_call_gives_a_dict_of_its_own() -> None:
    info = fastprims.build_info()
    copy = dict(info)
    info.clear()
    assert fastprims.build_info() == copy


def test_threading_is_that_of_the_interpreter() -> None:
    expected = "free-threaded" if FREE_THREADED else "GIL"
    assert fastprims.build_info()["threading"] == expected


def test_free_threading_uses_real_atomics() -> None:
    """Plain accesses are sound only while the GIL orders the threads."""
    info = fastprims.build_info()
    assert info["atomics"] in ("plain", "C11")
    if FREE_THREADED:
        assert info["atomics"] == "C11"
        assert info["mpmc"] != "plain"


def test_the_ring_is_lock_free_where_the_processor_allows_it() -> None:
    info = fastprims.build_info()
    if info["atomics"] == "C11" and platform.machine() in ("x86_64", "AMD64"):
        assert info["mpmc"] == "16-byte compare-and-swap"


def test_padding_is_at_least_a_cache_line() -> None:
    cacheline = fastprims.build_info()["cacheline"]
    assert cacheline & (cacheline - 1) == 0
    if "FASTPRIMS_CACHELINE" not in os.environ:
        assert cacheline >= 64


def test_linux_parks_on_a_futex() -> None:
    if sys.platform == "linux":
        assert fastprims.build_info()["parking"] == "futex"
