"""Run a piece of a test in an interpreter of its own.

For what cannot be tried inside the test process: forks, signals, interpreter
shutdown, crashes, memory. The child is given the function's source, not the
module, so that it imports nothing but what the function asks for.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parent.parent

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")

# For a thread whose recursion is to be noticed.
SMALL_STACK = 64 if "FASTPRIMS_SANITIZE" not in os.environ else 1024  # KiB

_CALL = """
if __name__ == "__main__":
    import json as _json, sys as _sys
    _result = {name}(*_json.loads({args!r}))
    print("\\nRESULT " + _json.dumps(_result), flush=True)
"""


class ChildFailed(AssertionError):
    """The child process ended badly."""


def run_child(
    fn: Callable[..., Any],
    *args: Any,
    helpers: tuple[Callable[..., Any], ...] = (),
    timeout: float = 60.0,
    env: dict[str, str] | None = None,
    options: tuple[str, ...] = (),
) -> Any:
    """Call `fn(*args)` in a fresh interpreter and return its (JSON) result.

    `helpers` are further functions whose source the child needs. A non-zero
    exit, a signal, or a run beyond `timeout` raises ChildFailed with the
    child's whole output.
    """
    source = "\n\n".join(textwrap.dedent(inspect.getsource(f)) for f in (*helpers, fn))
    source = "from __future__ import annotations\n" + source
    source += _CALL.format(name=fn.__name__, args=json.dumps(args))
    out = run_source(source, timeout=timeout, env=env, options=options)
    lines = [line for line in out.splitlines() if line.startswith("RESULT ")]
    if not lines:
        raise ChildFailed(f"no result from the child:\n{out}")
    return json.loads(lines[-1][len("RESULT ") :])


def run_source(
    source: str,
    *,
    timeout: float = 60.0,
    env: dict[str, str] | None = None,
    options: tuple[str, ...] = (),
) -> str:
    """Run a program in a fresh interpreter and return what it printed."""
    command = [sys.executable, "-X", "faulthandler", *options, "-c", source]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=child_env(env),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        out = _text(error.stdout) + _text(error.stderr)
        raise ChildFailed(f"the child still ran after {timeout} s:\n{out}") from None
    if done.returncode != 0:
        raise ChildFailed(f"exit code {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def child_env(extra: dict[str, str] | None = None) -> dict[str, str]:
    """This environment, with the test folder importable and `extra` on top."""
    env = dict(os.environ)
    path = [str(TESTS), *filter(None, [env.get("PYTHONPATH")])]
    env["PYTHONPATH"] = os.pathsep.join(path)
    env.update(extra or {})
    return env


def _text(out: Any) -> str:
    if out is None:
        return ""
    return out if isinstance(out, str) else out.decode(errors="replace")
