"""The slow jobs: each proves something that the test suite alone does not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools import cross, matrix, wild
from tools.venvs import ROOT, Environment, Interpreter, Stop, find_free_threaded, inspect, run, say

# The tests in which several threads use maps and topics; the others have one thread each.
THREADED = [
    "tests/maps/test_concurrent.py",
    "tests/maps/test_ctrie_garbage.py",
    "tests/maps/test_ctrie_memory.py",
    "tests/maps/test_ctrie_processes.py",
    "tests/maps/test_topic_concurrent.py",
    "tests/maps/test_topic_isolated.py",
]
# What a C program of fastprims.h takes; see RAW_FILES in setup.py.
RAW_WINGS = ("base", "wait", "queues", "limits", "reclaim", "capi")
SUPPRESSED = ROOT / "tools" / "tsan-suppressed"


@dataclass(frozen=True)
class Job:
    name: str
    proves: str
    work: Callable[[Interpreter], int]


def _suite(
    interpreter: Interpreter,
    knobs: dict[str, str] | None = None,
    pytest: tuple[str, ...] = (),
    env: dict[str, str] | None = None,
) -> int:
    environment = Environment(interpreter, ["test", "bench", "raw"], knobs)
    python = environment.ensure()
    return run([python, "-m", "pytest", "-q", *pytest], cwd=environment.tree, env=env)


def _free_threaded() -> Interpreter:
    found = find_free_threaded()
    if found is None:
        raise Stop("this job needs a free-threaded Python; tools/freethreaded-python builds one")
    return inspect(found)


def _chaos(
    environment: Environment, env: dict[str, str] | None = None, python: str | None = None
) -> int:
    """All against all (tests/chaos), for an hour or as --minutes says, in that build; by another
    interpreter of the same version if it is given.
    """
    installed = environment.ensure()
    seconds = float(os.environ.get("FASTPRIMS_CHAOS_MINUTES", "60")) * 60
    command: list[str | Path] = [python or installed, "-m", "chaos", "--seconds", str(seconds)]
    return run(command, cwd=environment.tree / "tests", env=env)


def _runtime(library: str) -> str:
    """The path of a sanitizer's run-time library; it must be loaded before the interpreter's own."""
    compiler = shutil.which("gcc")
    if compiler is None:
        raise Stop("this job needs gcc (Debian: apt-get install build-essential)")
    return _output(compiler, f"-print-file-name={library}")


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def torture(interpreter: Interpreter) -> int:
    return run([ROOT / "tests" / "c" / "run"])


def kills(interpreter: Interpreter) -> int:
    env = {"TORTURE_ONLY": "shm_kills", "TORTURE_KILLS": "10000", "TORTURE_SECONDS": "1200"}
    return run([ROOT / "tests" / "c" / "run", "steps", "asan", "optimized"], env=env)


def litmus(interpreter: Interpreter) -> int:
    return run([sys.executable, ROOT / "tests" / "litmus" / "run"])


def instructions(interpreter: Interpreter) -> int:
    return run([sys.executable, ROOT / "tests" / "c" / "instructions", "--mutants"])


def torture_arm64(interpreter: Interpreter) -> int:
    # One processor takes turns where two would meet; few rounds show what the programs do.
    builds = ["arm64", "arm64-lse", "arm64-vyukov"]
    env = {"TORTURE_SCALE": os.environ.get("TORTURE_SCALE", "2")}
    return run([ROOT / "tests" / "c" / "run", *builds], env=env) or _c_example()


def _c_example() -> int:
    """examples/rings.c, over the core, for ARM64."""
    tool = ROOT / "tools" / "arm64"
    with tempfile.TemporaryDirectory(prefix="arm64-") as folder:
        program = Path(folder, "rings")
        core = [f for wing in RAW_WINGS for f in sorted((ROOT / "csrc" / wing).glob("*.c"))]
        options = [
            "-std=gnu11",
            "-O2",
            "-static",
            f"-I{ROOT / 'csrc'}",
            f"-I{ROOT / 'csrc' / 'capi'}",
        ]
        example = ROOT / "examples" / "rings.c"
        return run([tool, "gcc", *options, example, *core, "-o", program, "-lpthread"]) or run(
            [tool, "run", program, "20000"]
        )


def arm64(interpreter: Interpreter) -> int:
    """Functional evidence: the emulator shows nothing of the orders of accesses."""
    found = _output(str(ROOT / "tools" / "arm64"), "python")
    environment = Environment(inspect(found), ["raw", "test"], {"FASTPRIMS_ATOMICS": "1"})
    python = environment.ensure()
    # The emulator does not know how to keep a page from forked children (MADV_DONTFORK), so there
    # is no memory shared by processes.
    without = ["-k", "not Shm and not shm", "--ignore", "tests/contract/test_numbers.py"]
    tests = ["tests/contract", "tests/maps", *without]
    slow = {"FASTPRIMS_TEST_LIMIT": "1200"}
    return run([python, "-m", "pytest", "-q", *tests], cwd=environment.tree, env=slow)


def other_systems(interpreter: Interpreter) -> int:
    return cross.main()


def stress(interpreter: Interpreter) -> int:
    return _suite(interpreter, pytest=("tests/stress", "--stress=20"))


def stress_free_threaded(interpreter: Interpreter) -> int:
    return _suite(_free_threaded(), pytest=("tests/stress", "--stress=20"))


def atomics(interpreter: Interpreter) -> int:
    return _suite(interpreter, {"FASTPRIMS_ATOMICS": "1"})


def small_lines(interpreter: Interpreter) -> int:
    return _suite(_free_threaded(), {"FASTPRIMS_CACHELINE": "16"})


def fallbacks(interpreter: Interpreter) -> int:
    return _suite(_free_threaded(), {"CFLAGS": "-DFP_CAS16=0 -DFP_HAND_OVER=0"})


def _address(interpreter: Interpreter, *tests: str) -> int:
    preload = " ".join(_runtime(name) for name in ("libasan.so", "libubsan.so"))
    return _suite(
        interpreter,
        {"FASTPRIMS_SANITIZE": "address,undefined"},
        # Without tests that measure resident memory: the sanitizer keeps freed memory.
        pytest=(*tests, "-k", "not strand_nothing and not given_back"),
        env={
            "LD_PRELOAD": preload,
            "PYTHONMALLOC": "malloc",  # the interpreter's own allocator would hide errors
            "ASAN_OPTIONS": "detect_leaks=0",  # CPython leaks; tests/isolated counts our leaks
        },
    )


def address(interpreter: Interpreter) -> int:
    return _address(interpreter, "--deselect", "tests/test_bench.py")


def address_maps(interpreter: Interpreter) -> int:
    return _address(interpreter, "tests/maps")


def _races(*tests: str) -> int:
    return _suite(
        _free_threaded(),
        {"FASTPRIMS_SANITIZE": "thread"},
        pytest=tests,
        env={
            "LD_PRELOAD": _runtime("libtsan.so"),
            # The interpreter is not instrumented: only races between our own accesses count.
            "TSAN_OPTIONS": "exitcode=66 halt_on_error=1 ignore_noninstrumented_modules=1 "
            f"report_thread_leaks=0 suppressions='{SUPPRESSED}'",
        },
    )


def chaos(interpreter: Interpreter) -> int:
    found = find_free_threaded("--asan")
    if found is None:
        raise Stop("this job needs tools/freethreaded-python --asan, once, to build an interpreter")
    # The interpreter leaks; and an allocation that is too large must raise a MemoryError.
    os.environ["ASAN_OPTIONS"] = "detect_leaks=0:allocator_may_return_null=1"
    os.environ["UBSAN_OPTIONS"] = "print_stacktrace=1"
    knobs = {"FASTPRIMS_SANITIZE": "address,undefined"}
    return _chaos(Environment(inspect(found), ["raw"], knobs))


def chaos_races(interpreter: Interpreter) -> int:
    """The extension is compiled by the compiler of an instrumented interpreter, and runs in that.

    Only there does the sanitizer see what orders the accesses to an object's attributes: its locks,
    its collections, and how one thread hands it to another. The build is installed by a plain interpreter of the same
    version, since Cython and pip take the other one ten times as long.
    """
    plain, watching = find_free_threaded("3.14t"), find_free_threaded("3.14t", "--tsan")
    if plain is None or watching is None:
        raise Stop(
            "this job needs tools/freethreaded-python 3.14t, and 3.14t --tsan, once, to build two "
            "interpreters"
        )
    compiler = _output(watching, "-c", "import sysconfig; print(sysconfig.get_config_var('CC'))")
    knobs = {"FASTPRIMS_SANITIZE": "thread", "CC": compiler}
    environment = Environment(inspect(plain), [], knobs)
    env = {
        "PYTHONPATH": str(environment.tree),
        "TSAN_OPTIONS": "exitcode=66 halt_on_error=1 allocator_may_return_null=1",
    }
    return _chaos(environment, env, watching)


def races(interpreter: Interpreter) -> int:
    return _races("tests/stress")


def races_maps(interpreter: Interpreter) -> int:
    # Without a shared iterator, since its lock is the interpreter's; without failing allocations,
    # since the memory is not the interpreter's here (fastprims/_maps/handles.h); and without tests
    # that measure resident memory.
    skipped = ("-k", "not share_an_iterator and not allocation and not given_back")
    return _races(*THREADED, *skipped)


def fresh(interpreter: Interpreter) -> int:
    return run([ROOT / "tools" / "fresh"])


def stdlib(interpreter: Interpreter) -> int:
    tests = ("tests/isolated/test_stdlib_installed.py",)
    return _suite(interpreter, pytest=tests, env={"FASTPRIMS_STDLIB": "1"})


JOBS = [
    Job("matrix", "the suite passes on every interpreter that is here", matrix.main),
    Job("fresh", "Debian 12 and 13 need only Python and gcc, and for a wheel only Python", fresh),
    Job("torture", "the C core alone, long, under the sanitizers", torture),
    Job("litmus", "the core's memory orders suffice, and each is needed, in C11's model", litmus),
    Job(
        "instructions", "each order becomes the right instructions, x86-64 and ARM64", instructions
    ),
    Job("torture-arm64", "the C core alone, for ARM64, under emulation", torture_arm64),
    Job("arm64", "the contract, maps and topics in an ARM64 Python, under emulation", arm64),
    Job(
        "cross", "the core compiles for Windows, macOS and musl, on both processors", other_systems
    ),
    Job("kills", "ten thousand killed processes leave shared memory whole", kills),
    Job("stress", "the stress tests at twenty times their length", stress),
    Job("stress-free-threaded", "the same without the GIL", stress_free_threaded),
    Job("atomics", "the suite with real atomics under the GIL", atomics),
    Job("small-lines", "correctness does not depend on the padding", small_lines),
    Job("fallbacks", "without a 16-byte compare-and-swap, and counting by Py_INCREF", fallbacks),
    Job("address", "no invalid access or undefined behaviour in the extension", address),
    Job("address-maps", "the same, maps and topics only", address_maps),
    Job("chaos", "an hour (--minutes) of all against all, no invalid access, free-threaded", chaos),
    Job("chaos-races", "an hour (--minutes) of all against all, no data race", chaos_races),
    Job("races", "no data race in the extension, free-threaded", races),
    Job("races-maps", "no data race in maps and topics, free-threaded", races_maps),
    Job("stdlib", "CPython's tests of what uses queue pass with ours installed", stdlib),
    Job("wild", "other packages' tests go as with the standard queue", wild.main),
]


def main(interpreter: Interpreter, names: list[str], only_list: bool, minutes: float | None) -> int:
    if minutes is not None:
        os.environ["FASTPRIMS_CHAOS_MINUTES"] = str(minutes)
    # A shell makes its background commands ignore interrupts, and their children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if only_list:
        for job in JOBS:
            print(f"{job.name:22} {job.proves}")
        return 0
    if unknown := set(names) - {job.name for job in JOBS}:
        raise Stop(f"no such job: {', '.join(sorted(unknown))} (--list: which there are)")
    failed = []
    for job in JOBS:
        if names and job.name not in names:
            continue
        say(f"{job.name}: {job.proves}")
        began = time.monotonic()
        status = job.work(interpreter)
        say(f"{job.name}: {'FAILED' if status else 'passed'} in {time.monotonic() - began:.0f} s")
        if status:
            failed.append(job.name)
    say(f"verify: {'failed: ' + ', '.join(failed) if failed else 'all jobs passed'}")
    return int(bool(failed))
