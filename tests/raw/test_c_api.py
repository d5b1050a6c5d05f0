"""fastprims.h and the static library: compiled and linked by C and C++ programs, without Python."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

import fastprims

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "rings.c"
COMPILER = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
CXX = shutil.which("c++") or shutil.which("g++")
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
# A library that was built with sanitizers needs them in the program too.
SANITIZERS = os.environ.get("FASTPRIMS_SANITIZE", "")

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")


def build(folder: Path, compiler: str, source: Path, *options: str) -> Path:
    program = folder / "program"
    command = [*compiler.split(), *options, *WARNINGS, "-I", fastprims.get_include(), str(source)]
    command += ["-o", str(program), fastprims.get_library(), "-pthread"]
    command += [f"-fsanitize={SANITIZERS}"] if SANITIZERS else []
    done = subprocess.run(command, capture_output=True, text=True, timeout=80, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return program


def run(program: Path, *arguments: str) -> str:
    done = subprocess.run(
        [str(program), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "LD_PRELOAD"},
    )
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_header_and_library_are_installed() -> None:
    assert Path(fastprims.get_include(), "fastprims.h").is_file()
    assert Path(fastprims.get_library()).is_file()


@needs_compiler
def test_the_example_compiles_links_and_is_right(tmp_path: Path) -> None:
    assert COMPILER is not None
    program = build(tmp_path, COMPILER, EXAMPLE, "-std=c11", "-O2")
    text = sum(len(f"line {i}") for i in range(1000))
    n = 20_000
    squares = n * (n + 1) * (2 * n + 1) // 6
    assert run(program, str(n)).splitlines() == [
        f"sum of squares: {squares}",
        f"bytes of text: {text}",
    ]


# Everything that the header promises and that needs no second thread.
PROGRAM = """
#include <fastprims.h>
#include <string.h>
#define CHECK(x) do { if (!(x)) return __LINE__; } while (0)
int main(void) {
    uint64_t word = 5, words[4] = {1, 2, 3, 4}, puts, gets;
    size_t done = 9, size = 0;
    char buffer[8] = "";
    CHECK(fastprims_api_version() == FASTPRIMS_API_VERSION);
    CHECK(fastprims_is_lock_free() == LOCK_FREE);
    CHECK(fastprims_ring_new(FASTPRIMS_SPSC, 0) == NULL);
    CHECK(fastprims_ring_new(FASTPRIMS_MPMC, UINT64_MAX) == NULL);
    fastprims_ring_release(NULL);
    CHECK(fastprims_ring_retain(NULL) == NULL);
    enum fastprims_kind kinds[2] = {FASTPRIMS_SPSC, FASTPRIMS_MPMC};
    for (int i = 0; i < 2; i++) {
        fastprims_ring *r = fastprims_ring_new(kinds[i], 3);
        CHECK(r != NULL && fastprims_ring_kind(r) == kinds[i] && fastprims_ring_capacity(r) == 3);
        CHECK(fastprims_ring_get(r, &word, 0) == FASTPRIMS_EMPTY && word == 5);
        CHECK(fastprims_ring_get(r, &word, 1000) == FASTPRIMS_EMPTY && word == 5);
        CHECK(fastprims_ring_put_many(r, words, 0, &done, 0) == FASTPRIMS_OK && done == 0);
        CHECK(fastprims_ring_put_many(r, words, 4, &done, 1000) == FASTPRIMS_FULL && done == 3);
        CHECK(fastprims_ring_put(r, 7, 0) == FASTPRIMS_FULL);
        CHECK(fastprims_ring_put(r, 7, 1000) == FASTPRIMS_FULL);
        fastprims_ring_waits(r, &puts, &gets);
        CHECK(puts == 2 && gets == 1);
        CHECK(fastprims_ring_get_many(r, words, 2, &done, 0) == FASTPRIMS_OK && done == 2);
        CHECK(words[0] == 1 && words[1] == 2);
        fastprims_ring_count(r, &puts, &gets);
        CHECK(puts == 3 && gets == 2);
        CHECK(fastprims_ring_release_producer(r, false) == FASTPRIMS_OK);
        CHECK(fastprims_ring_release_consumer(r, false) == FASTPRIMS_OK);
        CHECK(!fastprims_ring_is_closed(r));
        fastprims_ring_close(r, false);
        CHECK(fastprims_ring_is_closed(r));
        CHECK(fastprims_ring_put(r, 7, FASTPRIMS_FOREVER) == FASTPRIMS_CLOSED);
        CHECK(fastprims_ring_get(r, &word, FASTPRIMS_FOREVER) == FASTPRIMS_OK && word == 3);
        CHECK(fastprims_ring_get(r, &word, FASTPRIMS_FOREVER) == FASTPRIMS_CLOSED && word == 3);
        word = 5;
        CHECK(fastprims_ring_retain(r) == r);
        fastprims_ring_release(r);
        fastprims_ring_close(r, true);
        fastprims_ring_release(r);
    }
    CHECK(fastprims_bytes_new((uint64_t)1 << 40, 0) == NULL);
    CHECK(fastprims_bytes_new(64, 25) == NULL);
    fastprims_bytes *b = fastprims_bytes_new(33, 0);
    CHECK(b != NULL && fastprims_bytes_room(b) == 64 && fastprims_bytes_most(b) == 24);
    CHECK(fastprims_bytes_get(b, buffer, 8, &size, 1000) == FASTPRIMS_EMPTY);
    CHECK(fastprims_bytes_put(b, "0123456789012345678901234", 25, 0) == FASTPRIMS_TOO_LARGE);
    CHECK(fastprims_bytes_put(b, NULL, 0, 0) == FASTPRIMS_OK);
    CHECK(fastprims_bytes_put(b, "0123456789", 10, 0) == FASTPRIMS_OK);
    CHECK(fastprims_bytes_put(b, "0123456789012345678901", 22, 1000) == FASTPRIMS_OK);
    CHECK(fastprims_bytes_put(b, "", 1, 1000) == FASTPRIMS_FULL);
    fastprims_bytes_count(b, &puts, &gets);
    CHECK(puts == 3 && gets == 0);
    CHECK(fastprims_bytes_get(b, NULL, 0, &size, 0) == FASTPRIMS_OK && size == 0);
    CHECK(fastprims_bytes_get(b, buffer, 8, &size, 0) == FASTPRIMS_TOO_LARGE && size == 10);
    const void *where;
    CHECK(fastprims_bytes_peek(b, &where, &size, 0) == FASTPRIMS_OK && size == 10);
    CHECK(memcmp(where, "0123456789", 10) == 0);
    fastprims_bytes_take(b);
    fastprims_bytes_waits(b, &puts, &gets);
    CHECK(puts == 1 && gets == 1);
    void *place;
    CHECK(fastprims_bytes_reserve(b, 8, &place, 0) == FASTPRIMS_OK);
    CHECK(((uintptr_t)place & 7) == 0);
    CHECK(fastprims_bytes_retain(b) == b);
    fastprims_bytes_release(b);
    fastprims_bytes_close(b, false);
    CHECK(fastprims_bytes_commit(b, 8) == FASTPRIMS_CLOSED);
    CHECK(fastprims_bytes_peek(b, &where, &size, 0) == FASTPRIMS_OK && size == 22);
    fastprims_bytes_close(b, true);
    CHECK(fastprims_bytes_is_closed(b));
    CHECK(fastprims_bytes_peek(b, &where, &size, FASTPRIMS_FOREVER) == FASTPRIMS_CLOSED);
    CHECK(fastprims_bytes_release_producer(b, false) == FASTPRIMS_OK);
    CHECK(fastprims_bytes_release_consumer(b, false) == FASTPRIMS_OK);
    fastprims_bytes_release(b);
    return 0;
}
"""


def lock_free() -> str:
    """What this machine's library has to say, as it is built without other options."""
    wide = platform.machine() in ("x86_64", "AMD64", "aarch64", "arm64")
    narrow = "-DFP_CAS16=0" in os.environ.get("CFLAGS", "")
    return f"-DLOCK_FREE={int(wide and not narrow)}"


@pytest.mark.parametrize(
    ("compiler", "suffix", "standard"),
    [
        pytest.param(COMPILER, "c", "-std=c99", marks=needs_compiler),
        pytest.param(COMPILER, "c", "-std=c11", marks=needs_compiler),
        pytest.param(
            CXX,
            "cc",
            "-std=c++11",
            marks=pytest.mark.skipif(CXX is None, reason="there is no C++ compiler"),
        ),
    ],
    ids=["C99", "C11", "C++11"],
)
def test_the_header_keeps_its_word(
    tmp_path: Path, compiler: str, suffix: str, standard: str
) -> None:
    source = tmp_path / f"program.{suffix}"
    source.write_text(PROGRAM, encoding="ascii")
    run(build(tmp_path, compiler, source, standard, lock_free()))
