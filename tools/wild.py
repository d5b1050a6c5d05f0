"""Other packages' own tests, with the standard queue and with ours installed: no difference.

A test whose outcome differs is run again, by itself. If it then differs only sometimes, or the
other way round, it is listed as unsteady, and is no failure.

The sources are fixed releases from the package index. They are kept, each with an environment of
its own, in a cache outside the checkout: `FASTPRIMS_CACHE`, or ~/.cache/fastprims.
`FASTPRIMS_WILD=kombu,redis` runs only these.
"""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.venvs import ROOT, Environment, Interpreter, Stop, say

COMMON = ("pytest", "pytest-timeout", "setuptools<81")
LIMIT = 900
"""Seconds for one run of a package's tests."""
RERUNS = 3
MOST_RERUN = 200
SHOWN = 15
"""How many differences of a package are listed."""
PLUGIN = "fastprims.pytest_plugin"
RECORDER = "wild_outcomes"
OURS = (RECORDER, "wild_dramatiq")
"""Plugins of tools/."""


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    tests: Sequence[str]
    """The paths for pytest, in the folder of the unpacked source."""
    needs: Sequence[str] = ()
    """Further packages that the tests import."""
    extra: str = ""
    without: str = ""
    """The tests that -k leaves out: they need a server or a network, or only test times."""
    options: Sequence[str] = ()
    """Further arguments for pytest: those of the package's own settings that matter."""


PACKAGES = [
    Package("watchdog", "7.1.0", ["tests"], ["flaky"], extra="[watchmedo]"),
    Package(
        "kombu",
        "5.7.0",
        [f"t/unit/test_{name}.py" for name in ("connection", "pools", "simple", "messaging")]
        + [f"t/unit/transport/test_{name}.py" for name in ("memory", "filesystem", "pyamqp")]
        + ["t/unit/transport/virtual", "t/unit/utils", "t/unit/asynchronous"],
        ["pytest-freezer", "hypothesis", "redis<6.5"],
    ),
    Package("s3transfer", "0.19.3", ["tests/unit", "tests/functional"]),
    Package(
        "redis",
        "8.1.0",
        ["tests/test_connection_pool.py", "tests/test_connection.py", "tests/test_background.py"],
        ["pytest-asyncio", "numpy", "cryptography", "pybreaker", "xxhash", "redis-entraid"],
    ),
    Package(
        "urllib3",
        "2.8.0",
        [f"test/test_{name}.py" for name in ("connectionpool", "poolmanager", "queue_monkeypatch")]
        + ["test/with_dummyserver/test_connectionpool.py"],
        ["anyio[trio]", "h2", "httpx", "hypercorn", "pysocks", "pytest-socket"]
        + ["quart", "quart-trio", "trio", "trustme", "cryptography", "idna"],
    ),
    Package("pebble", "5.2.3", ["test/test_thread_pool.py", "test/test_process_pool_fork.py"]),
    Package(
        "posthog",
        "7.91.1",
        [
            f"posthog/test/test_{name}.py"
            for name in ("client", "consumer", "client_fork", "module")
        ],
        ["freezegun", "flask", "parameterized", "pytest-asyncio", "mock", "django<6", "tzdata"],
    ),
    Package(
        "dask",
        "2026.8.0",
        [f"dask/tests/test_{name}.py" for name in ("local", "threaded", "multiprocessing")]
        + [f"dask/tests/test_{name}.py" for name in ("base", "callbacks", "delayed")],
        ["numpy", "pandas", "pytest-mock"],
    ),
    Package(
        "gunicorn",
        "27.0.1",
        [f"tests/test_{name}.py" for name in ("arbiter", "gthread", "gthread_keepalive_shutdown")]
        + ["tests/test_asgi_lifespan.py", "tests/test_asgi_websocket_protocol.py"],
        ["pytest-asyncio", "h2", "httpx", "packaging"],
    ),
    Package(
        "cheroot",
        "11.1.2",
        ["cheroot/test"],
        ["pytest-mock", "jaraco.text", "jaraco.context", "requests-unixsocket2", "trustme"]
        + ["pyopenssl", "portend", "pypytools", "requests-toolbelt", "pytest-rerunfailures"],
        options=["-p", "cheroot.test._pytest_plugin"]
        + ["-W", "ignore:Context.set_passwd_cb:DeprecationWarning"],  # of a newer pyOpenSSL
    ),
    Package("pykka", "4.5.0", ["tests"], ["pytest-mock"]),
    Package("python-can", "4.6.1", ["test"], ["parameterized", "hypothesis"]),
    Package(
        "paho-mqtt",
        "2.2.0",
        # Not tests/lib: its clients are separate programs, in which nothing is installed.
        [f"tests/test_{name}.py" for name in ("client", "matcher", "mqttv5", "packet")]
        + [f"tests/test_{name}.py" for name in ("websockets", "websocket_integration")],
        ["pytest-asyncio"],
    ),
    Package(
        "apscheduler",
        "3.11.3",
        [f"tests/test_{name}.py" for name in ("executors", "jobstores", "schedulers")],
        ["pytest-asyncio", "pytz", "tornado", "sqlalchemy", "gevent", "twisted"],
        # Process pools have one second to start a process; on a busy machine that is not enough.
        without="etcd or mongodb or redis or rethinkdb or zookeeper or qtscheduler"
        " or processpool or broken_pool",
    ),
    Package(
        "joblib",
        "1.6.0",
        ["joblib/test/test_parallel.py"],
        ["threadpoolctl", "numpy"],
        without="loky or memmap or multiprocessing",
    ),
    Package("huey", "3.5.4", ["huey/tests"]),
    Package(
        "dramatiq",
        "2.2.1",
        [f"tests/test_{name}.py" for name in ("actors", "broker", "callbacks", "generic_actors")]
        + [f"tests/test_{name}.py" for name in ("messages", "stub_broker", "worker")],
        ["freezegun", "prometheus-client", "redis", "pika"],
        options=["-p", "wild_dramatiq"],
    ),
    Package("sqlalchemy", "2.1.9", ["test/engine/test_pool.py"]),
    Package(
        "raven",
        "6.10.0",
        ["tests/transport", "tests/base", "tests/breadcrumbs", "tests/context"],
        ["mock", "blinker", "exam", "pytz", "tornado", "requests", "logbook"],
        options=["--noconftest"],  # its conftest.py is for pytest 3
    ),
    Package(
        "langsmith",
        "0.15.1",
        [f"tests/unit_tests/test_{name}.py" for name in ("background_thread", "replica_run_ids")]
        + [f"tests/unit_tests/test_{name}.py" for name in ("operations", "hybrid_tracing")]
        + ["tests/unit_tests/test_multipart_retry_matrix.py"],
        ["pytest-asyncio", "dataclasses-json", "httpx", "respx", "freezegun", "pytest-subtests"]
        + ["vcrpy", "fastapi", "uvicorn", "psutil", "dirty-equals", "time-machine", "rich"]
        + ["numpy", "pandas", "attrs", "opentelemetry-sdk", "pytest-socket", "multipart"],
    ),
    Package(
        "celery",
        "5.7.0",
        ["t/unit/concurrency", "t/unit/worker"],
        ["pytest-celery", "redis", "freezegun", "greenlet"],
    ),
    Package(
        "sentry-sdk",
        "2.75.0",
        [f"tests/test_{name}.py" for name in ("transport", "sessions", "monitor", "logs")],
        ["pytest-localserver", "pytest-forked", "jsonschema", "responses", "brotli", "pysocks"]
        + ["httpcore[asyncio,http2]", "executing", "asttokens", "pytest-asyncio"],
    ),
    Package("aiosqlite", "0.22.1", ["aiosqlite/tests/smoke.py"]),
    Package(
        "anyio",
        "4.16.0",
        ["tests/test_to_thread.py", "tests/test_from_thread.py", "tests/test_concurrency_utils.py"],
        ["trio", "trustme", "truststore", "psutil", "pytest-mock", "blockbuster", "hypothesis"],
    ),
    Package("execnet", "2.1.2", ["testing"], ["gevent"]),
    Package(
        "python-engineio",
        "4.15.1",
        ["tests/common"],
        ["requests", "websocket-client", "aiohttp", "tornado"],
    ),
    Package(
        "streamlink",
        "8.6.3",
        ["tests/stream/test_segmented.py", "tests/stream/hls", "tests/stream/dash"],
        ["pytest-cov", "pytest-trio", "requests-mock", "freezegun"],
    ),
    Package(
        "twisted",
        "26.10.0",
        ["src/twisted/_threads/test", "src/twisted/test/test_threadpool.py"]
        + ["src/twisted/test/test_threads.py", "src/twisted/test/test_threadable.py"],
        ["hypothesis", "pyhamcrest"],
    ),
    Package("culsans", "0.11.0", ["tests"], ["aiologic"]),
    Package("dbutils", "3.2.0", ["tests"]),
    Package(
        "persist-queue",
        "1.1.0",
        [f"persistqueue/tests/test_{name}.py" for name in ("queue", "sqlqueue", "sqlackqueue")]
        + ["persistqueue/tests/test_priorityqueue.py"],
        ["msgpack", "cbor2", "pytest-asyncio", "aiofiles", "aiosqlite", "dbutils", "pymysql"],
    ),
    Package("pexpect", "4.9.0", ["tests/test_popen_spawn.py"], ["ptyprocess"]),
    Package(
        "pyserial",
        "3.5",
        [f"test/test_{name}.py" for name in ("url", "threaded", "iolib", "timeout_class")]
        + ["test/test_readline.py", "test/test.py"],
    ),
    Package(
        "pytest-xdist",
        "3.8.0",
        [f"testing/test_{name}.py" for name in ("dsession", "workermanage", "remote")],
        ["execnet", "filelock", "setproctitle", "psutil"],
    ),
]


def cache() -> Path:
    chosen = os.environ.get("FASTPRIMS_CACHE")
    return (Path(chosen) if chosen else Path.home() / ".cache" / "fastprims") / "wild"


@dataclass(frozen=True)
class Differences:
    """The numbers of tests, and the tests by outcome."""

    passed: int
    """With the standard queue."""
    failed: int
    """With the standard queue, too."""
    more: int
    """Skipped with the standard queue, passed with ours."""
    differ: dict[str, str]
    unsteady: dict[str, str]
    """Tests that differed at first, but do not differ in the same way in every run."""


class Trial:
    """One package under one interpreter."""

    def __init__(self, package: Package, interpreter: Interpreter, site: Path) -> None:
        self.package = package
        self.interpreter = interpreter
        self.site = site
        self.folder = cache() / interpreter.tag / f"{package.name}-{package.version}"
        self.python = Environment.python_of(self.folder / "venv")

    def prepare(self) -> None:
        done = self.folder / "ready.json"
        recipe = [*COMMON, *self.package.needs, self.package.extra]
        if done.is_file() and json.loads(done.read_text(encoding="utf-8")) == recipe:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        source = self.source()
        if not self.python.exists():
            self.step([self.interpreter.path, "-m", "venv", str(self.folder / "venv")])
        target = f"{source}{self.package.extra}"
        pip = [str(self.python), "-m", "pip", "--no-input", "install", "--prefer-binary", "-q"]
        self.step([*pip, *COMMON, *self.package.needs, target])
        done.write_text(json.dumps(recipe), encoding="utf-8")

    def source(self) -> Path:
        """The unpacked source distribution."""
        archives = cache() / "sdists"
        stem = f"{self.package.name}-{self.package.version}".lower()

        def found() -> Path | None:
            names = [stem, stem.replace("-", "_", stem.count("-") - 1)]
            files = (archives / f"{name}.tar.gz" for name in names)
            return next((file for file in files if file.is_file()), None)

        if found() is None:
            archives.mkdir(parents=True, exist_ok=True)
            pinned = f"{self.package.name}=={self.package.version}"
            pip = [self.interpreter.path, "-m", "pip", "--no-input", "download", "-q", "--no-deps"]
            self.step([*pip, "--no-binary", self.package.name, "-d", str(archives), pinned])
        archive = found()
        if archive is None:
            raise Stop(f"there is no source of {stem} in {archives}")
        unpacked = self.folder / archive.name.removesuffix(".tar.gz")
        if not unpacked.is_dir():
            with tarfile.open(archive) as tar:
                tar.extractall(self.folder, filter="data")
        return unpacked

    def step(self, command: list[str]) -> None:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            (self.folder / "pip.log").write_text(answer.stdout + answer.stderr, encoding="utf-8")
            raise Stop(
                f"{self.package.name}: {' '.join(command[1:4])} ...: see {self.folder}/pip.log"
            )

    def run(self, ours: bool, tests: Sequence[str]) -> dict[str, str]:
        """The outcome of each test, by its id; problems of the run itself under the empty id."""
        name = "ours" if ours else "standard"
        outcomes = self.folder / f"{name}.json"
        outcomes.unlink(missing_ok=True)
        command = [str(self.python), "-m", "pytest", *(["-p", PLUGIN] if ours else [])]
        command += ["-p", RECORDER, "-o", "addopts=", "-p", "no:cacheprovider", "-q"]
        # Time-outs by signal: that ends one test; a thread would end all of them.
        command += ["--timeout=60", "--timeout-method=signal", "--tb=short"]
        command += ["--continue-on-collection-errors", *self.package.options]
        if self.package.without:
            command += ["-k", f"not ({self.package.without})"]
        env = {**os.environ, "PYTHONPATH": str(self.site), "WILD_OUTCOMES": str(outcomes)}
        env["PYTHONDONTWRITEBYTECODE"] = "1"
        ended = ""
        with (self.folder / f"{name}.log").open("w", encoding="utf-8") as log:
            try:
                subprocess.run(
                    [*command, *tests],
                    cwd=self.source(),
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=LIMIT,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                ended = f"stopped after {LIMIT} s"
        result: dict[str, str] = {}
        if outcomes.is_file():
            for line in outcomes.read_text(encoding="utf-8").splitlines():
                test, outcome = json.loads(line)
                if result.get(test, "passed") == "passed":  # otherwise a teardown after a failure
                    result[test] = outcome
        if ended:
            result[""] = ended
        return result

    def differences(self) -> Differences:
        standard = self.run(False, self.package.tests)
        passed = sum(outcome == "passed" for outcome in standard.values())
        if not passed:
            raise Stop(f"{self.package.name}: no test passes; see {self.folder}/standard.log")
        ours = self.run(True, self.package.tests)
        for name in ("standard", "ours"):
            (self.folder / f"{name}.log").replace(self.folder / f"{name}-all.log")
        failed = sum(outcome not in ("passed", "skipped") for outcome in standard.values())
        differ = {
            test for test in standard.keys() | ours.keys() if standard.get(test) != ours.get(test)
        }
        # For example a test of shutdown(), which the standard queue of this version lacks.
        more = {test for test in differ if standard.get(test) == "skipped"}
        more = {test for test in more if ours.get(test) == "passed"}
        differ -= more
        runs = [(standard, ours)]
        again = sorted(differ - {""})
        for _ in range(RERUNS if again and len(again) <= MOST_RERUN else 0):
            runs.append((self.run(False, again), self.run(True, again)))
        found: tuple[dict[str, str], dict[str, str]] = {}, {}
        for test in sorted(differ):
            pairs = [[run.get(test, "not run") for run in pair] for pair in runs]
            steady = test == "" or all(pair == pairs[0] for pair in pairs)
            shown = pairs[:1] if steady else pairs
            found[not steady][test] = ", ".join(" -> ".join(pair) for pair in shown)
        return Differences(passed, failed, len(more), *found)


def main(interpreter: Interpreter) -> int:
    Environment(interpreter, []).ensure()
    # fastprims as built in the checkout, and nothing else from there.
    site = cache() / interpreter.tag / "site"
    site.mkdir(parents=True, exist_ok=True)
    plugins = [ROOT / "tools" / f"{name}.py" for name in OURS]
    for target in (ROOT / "fastprims", *plugins):
        link = site / target.name
        if not link.is_symlink() or link.readlink() != target:  # another run may be using it
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    wanted = {name for name in os.environ.get("FASTPRIMS_WILD", "").split(",") if name}
    if unknown := wanted - {package.name for package in PACKAGES}:
        raise Stop(f"no such package: {', '.join(sorted(unknown))}")
    lines, differing, failed = [], 0, []
    for package in PACKAGES:
        if wanted and package.name not in wanted:
            continue
        trial = Trial(package, interpreter, site)
        try:
            trial.prepare()
            found = trial.differences()
        except Stop as reason:
            failed.append(package.name)
            line = f"{package.name:12} {package.version:10} {reason}"
        else:
            differing += len(found.differ)
            line = f"{package.name:12} {package.version:10} {found.passed:6} {found.failed:6}"
            line += f" {found.more:5} {len(found.differ):6}"
            shown = [f"\n    {test or 'the run'}: {d}" for test, d in found.differ.items()]
            shown += [f"\n    unsteady: {test}: {d}" for test, d in found.unsteady.items()]
            line += "".join(shown[:SHOWN])
            if len(shown) > SHOWN:
                line += f"\n    and {len(shown) - SHOWN} more"
        say(line)
        lines.append(line)
    say(f"{'package':12} {'version':10} passed failed  more differ\n" + "\n".join(lines))
    if failed:
        say(f"not tried: {', '.join(failed)}")
    return int(bool(differing or failed))
