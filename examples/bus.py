"""A message bus inside one process: a TopicTrie finds the subscribers, queues carry the messages.

    python examples/bus.py
    python examples/bus.py --units 20 --readings 5000 --json bus.json

The units of a plant publish readings, each on a thread of its own. An archive subscribes to
everything, a pager to the alarms of all units; both must get every message. A dashboard subscribes
to the levels of one unit after the other while the plant is running, through a channel that keeps
the newest few messages and counts those that it drops. At the end every message must be accounted
for.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _shared import at_least, print_table, write_json

from fastprims import BoundedChannel, ShutDown, Subscription, TopicTrie

Message = tuple[str, float]
Channel = BoundedChannel[Message]


class Bus:
    """Publish and subscribe; any number of threads."""

    def __init__(self) -> None:
        self._trie: TopicTrie[Channel] = TopicTrie("nats")

    def subscribe(self, pattern: str, channel: Channel) -> Subscription[Channel]:
        """From now on the channel gets the messages that match the pattern."""
        return self._trie.subscribe(pattern, channel)

    def unsubscribe(self, subscription: Subscription[Channel]) -> bool:
        return self._trie.unsubscribe(subscription)

    def publish(self, topic: str, value: float) -> int:
        """Put the message into each subscribed channel once; return how many there were."""
        channels = set(self._trie.match(topic))
        for channel in channels:
            channel.put((topic, value))
        return len(channels)


class Reader:
    """Takes messages from a channel until it is shut down."""

    def __init__(self, maxsize: int, overflow: str = "block") -> None:
        self.channel: Channel = BoundedChannel(maxsize, overflow=overflow)  # type: ignore[arg-type]
        self.topics: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while True:
                for topic, _ in self.channel.get_many(100):
                    self.topics[topic] = self.topics.get(topic, 0) + 1
        except ShutDown:
            return

    def close(self) -> None:
        """Let the reader take the messages that are left, and wait for it."""
        self.channel.shutdown()
        self._thread.join()

    @property
    def seen(self) -> int:
        return sum(self.topics.values())


def unit(bus: Bus, number: int, readings: int) -> None:
    """One unit of the plant: it publishes a level each time, and every tenth time an alarm."""
    for step in range(readings):
        bus.publish(f"plant.{number}.level", step / readings)
        if step % 10 == 9:
            bus.publish(f"plant.{number}.alarm", step)


def tour(bus: Bus, channel: Channel, units: int, over: threading.Event) -> int:
    """Watch one unit after the other, without a gap, until the plant stops."""
    watched = 0
    now = bus.subscribe("plant.0.level", channel)
    while not over.wait(0.001):
        watched += 1
        following = bus.subscribe(f"plant.{watched % units}.level", channel)
        bus.unsubscribe(now)
        now = following
    bus.unsubscribe(now)
    return watched


def run_plant(units: int, readings: int) -> dict[str, Any]:
    bus, over = Bus(), threading.Event()
    archive, pager, dashboard = Reader(1000), Reader(100), Reader(8, "drop_oldest")
    bus.subscribe("plant.>", archive.channel)
    bus.subscribe("plant.*.alarm", pager.channel)
    tourist = threading.Thread(target=tour, args=(bus, dashboard.channel, units, over))
    threads = [threading.Thread(target=unit, args=(bus, n, readings)) for n in range(units)]
    began = time.perf_counter()
    for thread in (tourist, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    tourist.join()
    for reader in (archive, pager, dashboard):
        reader.close()
    shown = dashboard.channel.stats()
    return {
        "published": units * (readings + readings // 10),
        "archived": archive.seen,
        "alarms": units * (readings // 10),
        "paged": pager.seen,
        "shown": dashboard.seen,
        "offered": shown.offered,
        "overtaken": shown.drops["overflow-oldest"],
        "other": sum(not topic.endswith(".alarm") for topic in pager.topics),
        "seconds": time.perf_counter() - began,
    }


def accounted_for(result: dict[str, Any]) -> bool:
    return (
        result["archived"] == result["published"]
        and result["paged"] == result["alarms"]
        and result["other"] == 0
        and result["shown"] + result["overtaken"] == result["offered"]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--units", type=at_least(1), default=8)
    parser.add_argument("--readings", type=at_least(1), default=2000, help="of each unit")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    options = parser.parse_args(arguments)
    result = run_plant(options.units, options.readings)
    rows = [
        ("archive (everything)", result["published"], result["archived"], 0),
        ("pager (alarms)", result["alarms"], result["paged"], 0),
        ("dashboard (some levels)", result["offered"], result["shown"], result["overtaken"]),
    ]
    print_table(["subscriber", "meant for it", "read", "dropped"], rows)
    rate = result["published"] / result["seconds"]
    print(f"\n{result['published']:,} messages, {rate:,.0f} a second")
    write_json(options.json, {"results": result})
    if not accounted_for(result):
        print("bus: messages are not accounted for", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
