"""Queues on a metrics page: what Prometheus would see.

    python examples/metrics.py
    python examples/metrics.py --items 100000 --serve 60

Two queues do some work, one of them a BoundedChannel that has to drop items. A real HTTP server on
the loopback shows their counts. This program scrapes it as Prometheus does and prints what it
found. `--serve SECONDS` keeps the page up for a look at it. Needs
`pip install 'fastprims[metrics]'`.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from _shared import at_least, print_table, write_json

import fastprims
from fastprims import metrics

FORMAT = "application/openmetrics-text; version=1.0.0"


def work(items: int) -> tuple[fastprims.Queue[int], fastprims.BoundedChannel[int]]:
    """A queue that delivers everything to a consumer, and a channel without a consumer."""
    jobs: fastprims.Queue[int] = fastprims.Queue(64)
    recent: fastprims.BoundedChannel[int] = fastprims.BoundedChannel(100, overflow="drop_oldest")
    metrics.register("jobs", jobs)
    metrics.register("recent", recent)

    def consume() -> None:
        try:
            while True:
                recent.put(jobs.get())
        except fastprims.ShutDown:
            return

    consumer = threading.Thread(target=consume)
    consumer.start()
    for number in range(items):
        jobs.put(number)
    jobs.shutdown()
    consumer.join()
    return jobs, recent


def scrape(url: str) -> str:
    request = urllib.request.Request(url, headers={"Accept": FORMAT})
    with urllib.request.urlopen(request, timeout=10) as answer:
        if not answer.headers["Content-Type"].startswith("application/openmetrics-text"):
            raise ValueError(f"not OpenMetrics: {answer.headers['Content-Type']}")
        text: bytes = answer.read()
    return text.decode()


def read(page: str) -> Iterator[tuple[str, str, str, float]]:
    """Metric, type, labels and value of each sample, as a Prometheus server parses them."""
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = ", ".join(f"{label}={text}" for label, text in sorted(sample.labels.items()))
            yield sample.name, family.type, labels, sample.value


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--items", type=at_least(1), default=10_000)
    parser.add_argument("--port", type=at_least(0), default=0, help="0: any that is free")
    parser.add_argument("--serve", type=at_least(0), default=0, metavar="SECONDS")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    try:
        collector = metrics.Collector()
    except ImportError as error:
        print(f"metrics: {error}", file=sys.stderr)
        return 1
    from prometheus_client import CollectorRegistry, start_http_server

    structures = work(options.items)  # kept, since the registration holds only weak references
    registry = CollectorRegistry()
    registry.register(collector)
    server, thread = start_http_server(options.port, addr="127.0.0.1", registry=registry)
    url = f"http://127.0.0.1:{server.server_port}/metrics"
    try:
        samples = list(read(scrape(url)))
        print(f"{len(structures)} structures, {len(samples)} samples on {url}:\n")
        print_table(["metric", "type", "labels", "value"], samples)
        time.sleep(options.serve)
    except KeyboardInterrupt:
        return 130
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    write_json(options.json, {"samples": samples})
    return 0


if __name__ == "__main__":
    sys.exit(main())
