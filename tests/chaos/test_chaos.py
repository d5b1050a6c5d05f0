"""A short run of all against all, and that it leaves out nothing public."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.isolate import child_env

from chaos.arguments import MAKERS, classes, members, parameter_names, signature


@pytest.mark.stress
@pytest.mark.timeout(240)
def test_all_against_all(pytestconfig: pytest.Config) -> None:
    seconds = 5 * pytestconfig.getoption("--stress")
    done = subprocess.run(
        [sys.executable, "-m", "chaos", "--seconds", str(seconds)],
        capture_output=True,
        text=True,
        env=child_env(),
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_parameter_has_its_maker() -> None:
    """A new parameter gets what it asks for, or its method is hardly tested."""
    unknown = {name: where for name, where in parameter_names() if name not in MAKERS}
    assert not unknown


@pytest.mark.parametrize("cls", classes(), ids=lambda cls: cls.__name__)
def test_every_public_member_is_called(cls: type) -> None:
    called = {member.name: member for member in members(cls)}
    public = {name for name in dir(cls) if not name.startswith("_")}
    assert public <= set(called)
    for name in public:
        if callable(getattr(cls, name, None)):  # of some, only instances have them
            assert signature(getattr(cls, name)) is not None, f"{name}: its arguments are unknown"
            assert called[name].parameters is not None
