"""What stress tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.threads import switch_interval


@pytest.fixture(autouse=True)
def eager_switching(request: pytest.FixtureRequest) -> Iterator[None]:
    """Under the GIL, races want frequent changes of thread: a module that does, too, says after how
    many seconds."""
    seconds = getattr(request.module, "SWITCH_INTERVAL", None)
    if seconds is None:
        yield
    else:
        with switch_interval(seconds):
            yield
