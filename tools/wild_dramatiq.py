"""A pytest plugin for tools/wild.py: the fixtures of dramatiq's tests, missing in its release."""

from __future__ import annotations

from collections.abc import Iterator

import dramatiq  # type: ignore[import-not-found]
import pytest
from dramatiq.brokers.stub import StubBroker  # type: ignore[import-not-found]


@pytest.fixture
def stub_broker() -> Iterator[StubBroker]:
    broker = StubBroker()
    broker.emit_after("process_boot")
    dramatiq.set_broker(broker)
    yield broker
    broker.flush_all()
    broker.close()


@pytest.fixture
def stub_worker(stub_broker: StubBroker) -> Iterator[dramatiq.Worker]:
    worker = dramatiq.Worker(stub_broker, worker_timeout=100, worker_threads=4)
    worker.start()
    yield worker
    worker.stop()
