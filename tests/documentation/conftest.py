"""Tests of the built documentation. `python3 dev.py docs` builds it and runs them; the ordinary
suite, which has no site, skips them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def site() -> Path:
    folder = os.environ.get("FASTPRIMS_SITE")
    if not folder:
        pytest.skip("python3 dev.py docs builds the site, and then runs this test")
    return Path(folder)
