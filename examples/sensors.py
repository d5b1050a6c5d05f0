"""A fan-in: one thread listens to many sensors, to commands, and to the clock, at once.

    python examples/sensors.py
    python examples/sensors.py --sensors 64 --readings 5000 --json sensors.json

Each sensor is a thread with a queue of its own, so a sensor that floods its queue slows down only
itself. The collector asks one `Selector` for whatever comes first:

    a reading     q.get of each sensor; a queue that is shut down is a sensor that has finished
    a command     commands.get
    the clock     after(seconds): the moment of the next report

No thread and no task waits for each queue, and nothing is polled. At the end every reading must have
been received once, and the sums must be those that the sensors sent.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from _shared import at_least, print_table, write_json

from fastprims import Queue, Selector, after


@dataclass
class Sensor:
    """A thread that measures, and the queue that it puts the readings into."""

    number: int
    readings: int
    bound: int
    total: int = 0
    queue: Queue[int] = field(init=False)

    def __post_init__(self) -> None:
        self.queue = Queue(self.bound)

    def measure(self) -> None:
        rng = random.Random(self.number)
        for _ in range(self.readings):
            reading = rng.randrange(100)
            self.total += reading
            self.queue.put(reading)
            if rng.random() < 0.001:
                time.sleep(0.001)  # sensors pause now and then
        self.queue.shutdown()


@dataclass
class Collector:
    """What one thread has heard from all of them."""

    counts: dict[int, int] = field(default_factory=dict)
    totals: dict[int, int] = field(default_factory=dict)
    reports: int = 0
    answers: list[str] = field(default_factory=list)

    def hear(self, sensor: Sensor, reading: int) -> None:
        self.counts[sensor.number] = self.counts.get(sensor.number, 0) + 1
        self.totals[sensor.number] = self.totals.get(sensor.number, 0) + reading

    def collect(self, sensors: Sequence[Sensor], commands: Queue[str], every: float) -> None:
        selector = Selector(*[sensor.queue.get for sensor in sensors], commands.get)
        tick = after(every)
        selector.add(tick)
        running = len(sensors)
        while running:
            answer = selector.select(timeout=60)
            if answer is None:
                raise TimeoutError("no sensor has spoken for a minute")
            if answer.source is tick:
                self.reports += 1
                tick = after(every)
                selector.add(tick)
            elif answer.source is commands:
                self.answers.append(f"{answer.value}: {sum(self.counts.values())} readings")
            elif answer.closed:
                running -= 1
            else:
                self.hear(sensors[answer.index], answer.value)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="One thread that listens to many sensors")
    parser.add_argument("--sensors", type=at_least(1), default=16)
    parser.add_argument("--readings", type=at_least(1), default=2000, help="of each sensor")
    parser.add_argument("--bound", type=at_least(1), default=64, help="of each queue")
    parser.add_argument("--every", type=float, default=0.02, help="seconds between reports")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    options = parser.parse_args(argv)

    sensors = [Sensor(n, options.readings, options.bound) for n in range(options.sensors)]
    commands: Queue[str] = Queue()
    collector = Collector()
    began = time.perf_counter()
    threads = [threading.Thread(target=sensor.measure) for sensor in sensors]
    for thread in threads:
        thread.start()
    commands.put("status")
    collector.collect(sensors, commands, options.every)
    seconds = time.perf_counter() - began
    for thread in threads:
        thread.join()

    received = sum(collector.counts.values())
    results = {
        "received": received,
        "sent": options.sensors * options.readings,
        "totals agree": all(collector.totals[s.number] == s.total for s in sensors),
        "reports": collector.reports,
        "answers": collector.answers,
        "microseconds a reading": seconds / received * 1e6,
    }
    print_table(("what", "value"), [(name, str(value)) for name, value in results.items()])
    write_json(options.json, {"results": results})
    if received != results["sent"] or not results["totals agree"]:
        print("readings were lost or doubled", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
