"""What happens at the bound of a queue, and at its end.

    python examples/backpressure.py
    python examples/backpressure.py --items 1000000 --batch 256

Three short scenes: each way of putting into a full queue, and what the caller learns from it; a
producer and a consumer that exchange items one by one and in batches; and the two kinds of
`shutdown()`, as a consumer and a waiting producer see them.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from _shared import at_least, interpreter, median_ratio, print_table, write_json

import fastprims

BOUND = 8
OFFERED = 12


def put_all_now(queue: fastprims.Queue[int]) -> tuple[int, str]:
    for number in range(OFFERED):
        try:
            queue.put_nowait(number)
        except fastprims.Full:
            return number, "Full is raised"
    return OFFERED, "nothing"


def put_all_in_time(queue: fastprims.Queue[int]) -> tuple[int, str]:
    for number in range(OFFERED):
        start = time.perf_counter()
        try:
            queue.put(number, timeout=0.05)
        except fastprims.Full:
            return number, f"Full after {time.perf_counter() - start:.2f} s"
    return OFFERED, "nothing"


def try_put_all(queue: fastprims.Queue[int]) -> tuple[int, str]:
    return sum(queue.try_put(number) for number in range(OFFERED)), "False is returned"


def put_many_at_once(queue: fastprims.Queue[int]) -> tuple[int, str]:
    return queue.put_many(range(OFFERED), block=False), "how many were stored"


def put_all_waiting(queue: fastprims.Queue[int]) -> tuple[int, str]:
    """Store all items: the twelfth put waits until a consumer has made room."""

    def make_room() -> None:
        while queue.stats().put_waits == 0:  # begin when the producer waits
            time.sleep(0.001)
        queue.get_many(OFFERED)

    consumer = threading.Thread(target=make_room)
    consumer.start()
    for number in range(OFFERED):
        queue.put(number)
    consumer.join()
    return OFFERED, f"nothing; waited {queue.stats().put_waits} x"


AT_THE_BOUND: dict[str, Callable[[fastprims.Queue[int]], tuple[int, str]]] = {
    "put_nowait(item)": put_all_now,
    "put(item, timeout=0.05)": put_all_in_time,
    "try_put(item)": try_put_all,
    "put_many(items, block=False)": put_many_at_once,
    "put(item), a consumer takes some": put_all_waiting,
}


def at_the_bound() -> dict[str, int]:
    print(f"Offer {OFFERED} items to an empty Queue({BOUND}):\n")
    rows, stored = [], {}
    for way, offer in AT_THE_BOUND.items():
        stored[way], news = offer(fastprims.Queue(BOUND))
        rows.append([way, stored[way], OFFERED - stored[way], news])
    print_table(["with", "stored", "refused", "the caller learns"], rows)
    return stored


def send_singly(queue: Any, items: int, batch: int) -> None:
    for number in range(items):
        queue.put(number)


def send_batches(queue: Any, items: int, batch: int) -> None:
    for start in range(0, items, batch):
        queue.put_many(range(start, min(start + batch, items)))


def receive_singly(queue: Any, batch: int) -> int:
    total = 0
    try:
        while True:
            total += queue.get()
    except fastprims.ShutDown:
        return total


def receive_batches(queue: Any, batch: int) -> int:
    total = 0
    try:
        while True:
            total += sum(queue.get_many(batch))
    except fastprims.ShutDown:
        return total


STYLES = {"one by one": (send_singly, receive_singly), "batches": (send_batches, receive_batches)}


def transfer(queue: Any, style: str, items: int, batch: int) -> tuple[int, float]:
    """One producer thread; this thread consumes. The sum received, and the seconds it took."""
    send, receive = STYLES[style]

    def produce() -> None:
        try:
            send(queue, items, batch)
        finally:
            queue.shutdown()  # the consumer gets the items left, then ShutDown in place of EOF

    producer = threading.Thread(target=produce)
    start = time.perf_counter()
    producer.start()
    total = receive(queue, batch)
    producer.join()
    return total, time.perf_counter() - start


def batches(items: int, batch: int, bound: int, rounds: int) -> dict[str, list[float]] | None:
    print(f"\nSend {items:,} items from thread to thread, bound {bound}, batches of {batch}:\n")
    makers = {
        "Queue": fastprims.Queue,
        "MPMCRing": fastprims.MPMCRing,
        "SPSCRing": fastprims.SPSCRing,
    }
    contenders = [(kind, style) for kind in makers for style in STYLES]
    times: dict[tuple[str, str], list[float]] = {each: [] for each in contenders}
    for _ in range(rounds):
        for kind, style in contenders:
            total, seconds = transfer(makers[kind](bound), style, items, batch)
            if total != items * (items - 1) // 2:
                print(f"backpressure: {kind}, {style}: the sum is {total}", file=sys.stderr)
                return None
            times[kind, style].append(seconds)
    base = times["Queue", "one by one"]
    rows = []
    for kind, style in contenders:
        median = statistics.median(times[kind, style])
        rows.append(
            [
                f"{kind}, {style}",
                f"{median:.3f} s",
                f"{median / items * 1e9:.0f} ns",
                median_ratio(base, times[kind, style]),
            ]
        )
    print_table(["queue", "time", "per item", "ratio"], rows)
    return {", ".join(each): seconds for each, seconds in times.items()}


def ending(immediate: bool) -> dict[str, Any]:
    """Shut a full queue down while a producer waits for room."""
    queue: fastprims.Queue[int] = fastprims.Queue(BOUND)
    queue.put_many(range(BOUND))
    fate: list[str] = []

    def wait_for_room() -> None:
        try:
            queue.put(BOUND)
            fate.append("stored")
        except fastprims.ShutDown:
            fate.append("ShutDown")

    producer = threading.Thread(target=wait_for_room)
    producer.start()
    while queue.stats().put_waits == 0:
        time.sleep(0.001)
    queue.shutdown(immediate)
    producer.join()
    received = 0
    try:
        while True:
            queue.get()
            received += 1
    except fastprims.ShutDown:
        pass
    return {"received": received, "dropped": BOUND - received, "producer": fate[0]}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--items", type=at_least(1), default=200_000)
    parser.add_argument("--batch", type=at_least(1), default=64)
    parser.add_argument("--bound", type=at_least(1), default=256)
    parser.add_argument("--rounds", type=at_least(1), default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    print(f"{interpreter()}\n")
    stored = at_the_bound()
    times = batches(options.items, options.batch, options.bound, options.rounds)
    if times is None:
        return 1
    print(f"\nShut down a full Queue({BOUND}) for which a producer waits:\n")
    endings = {
        call: ending(immediate)
        for call, immediate in (("shutdown()", False), ("shutdown(immediate=True)", True))
    }
    print_table(
        ["with", "still received", "dropped", "the producer gets"],
        [[call, *seen.values()] for call, seen in endings.items()],
    )
    write_json(options.json, {"stored": stored, "seconds": times, "endings": endings})
    return 0


if __name__ == "__main__":
    sys.exit(main())
