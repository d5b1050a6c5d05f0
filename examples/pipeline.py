"""Count the identifiers of the standard library's source with a pipeline of threads.

    python examples/pipeline.py --limit 200
    python examples/pipeline.py --limit 100 --grain token --rounds 3

Four stages, joined by three bounded queues:

    lister --paths--> readers --sources--> tokenizers --names--> collector

The same program runs on the standard library's `queue.Queue` and on `fastprims.queue.Queue`; the
counts must agree. Tokenizing takes far longer than passing a file on, so with one message per file
the queue hardly matters. To show this, the program prints each run's time and that of an "empty
run", in which as many items pass through the same queues without work. (A hint, not a bound:
threads with work to do wait for each other at other moments.) A finer `--grain` sends the names in
chunks, or one by one, and then the queue does matter.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import itertools
import keyword
import os
import statistics
import sys
import time
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from _shared import (
    MODULES,
    at_least,
    interpreter,
    median_ratio,
    print_table,
    python_files,
    queue_module,
    write_json,
)
from _stages import Pipeline, WorkerFailed


@dataclass
class Skip:
    """Stands for a file that is not valid Python source."""

    reason: str


@dataclass
class Tally:
    """The collector's results; equal for equal input, whatever the queue."""

    names: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    messages: int = 0

    def add(self, message: str | list[str] | Skip) -> tuple[()]:
        self.messages += 1
        if isinstance(message, str):
            self.names[message] += 1
        elif isinstance(message, list):
            self.names.update(message)
        else:
            self.skipped[message.reason] += 1
        return ()

    def digest(self) -> str:
        return hashlib.sha256(repr(sorted(self.names.items())).encode()).hexdigest()


def read_source(path: Path) -> Iterator[str | Skip]:
    data = path.read_bytes()
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = io.IncrementalNewlineDecoder(None, True).decode(data.decode(encoding), True)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        yield Skip("undecodable")
    else:
        yield text


def identifiers(text: str) -> list[str]:
    """The identifiers of a source text; all or nothing, so that every grain counts the same."""
    return [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.NAME and not keyword.iskeyword(token.string)
    ]


def tokenizer(grain: str, chunk: int) -> Callable[[str | Skip], Iterable[Any]]:
    def names_of(text: str | Skip) -> Iterable[Any]:
        if isinstance(text, Skip):
            return (text,)
        try:
            names = identifiers(text)
        except (tokenize.TokenError, SyntaxError):
            return (Skip("untokenizable"),)
        if grain == "token":
            return names
        step = chunk if grain == "chunk" else max(len(names), 1)
        return (names[start : start + step] for start in range(0, len(names), step))

    return names_of


def count_names(
    queues: ModuleType, paths: Sequence[Path], options: argparse.Namespace
) -> tuple[Tally, float]:
    """One run of the real pipeline."""
    tally = Tally()
    split = tokenizer(options.grain, options.chunk)
    seconds = run_stages(queues, paths, read_source, split, tally.add, options)
    return tally, seconds


def count_nothing(
    queues: ModuleType, files: int, messages: int, options: argparse.Namespace
) -> float:
    """An empty run: as many items through the same queues and threads, with no work in between."""
    whole, rest = divmod(messages, files)
    shares = [whole + (number < rest) for number in range(files)]

    def forward(share: int) -> tuple[int]:
        return (share,)

    def emit(share: int) -> Iterable[None]:
        return itertools.repeat(None, share)

    def swallow(message: None) -> tuple[()]:
        return ()

    return run_stages(queues, shares, forward, emit, swallow, options)


def run_stages(
    queues: ModuleType,
    items: Sequence[Any],
    read: Callable[[Any], Iterable[Any]],
    split: Callable[[Any], Iterable[Any]],
    collect: Callable[[Any], tuple[()]],
    options: argparse.Namespace,
) -> float:
    pipeline = Pipeline(queues, options.bound)
    paths, sources, names = pipeline.link(), pipeline.link(), pipeline.link()
    pipeline.stage("lister", lambda item: (item,), items=items, outbox=paths)
    pipeline.stage("reader", read, inbox=paths, outbox=sources, workers=options.readers)
    pipeline.stage("tokenizer", split, inbox=sources, outbox=names, workers=options.workers)
    pipeline.stage("collector", collect, inbox=names)
    start = time.perf_counter()
    pipeline.run()
    return time.perf_counter() - start


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--queue", choices=[*MODULES, "both"], default="both")
    parser.add_argument(
        "--workers",
        type=at_least(1),
        default=max(2, os.cpu_count() or 2),
        help="tokenizer threads (default: one per CPU, at least 2)",
    )
    parser.add_argument("--readers", type=at_least(1), default=2, help="reader threads")
    parser.add_argument("--bound", type=at_least(1), default=64, help="items a queue holds")
    parser.add_argument("--limit", type=at_least(1), metavar="FILES", help="read only the first")
    parser.add_argument("--root", type=Path, help="read this tree, not the standard library")
    parser.add_argument(
        "--grain",
        choices=["file", "chunk", "token"],
        default="file",
        help="what a message to the collector holds",
    )
    parser.add_argument("--chunk", type=at_least(1), default=16, help="names in a chunk")
    parser.add_argument(
        "--rounds", type=at_least(1), default=1, help="repeat, alternating between the queues"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    contenders = list(MODULES) if options.queue == "both" else [options.queue]
    paths = python_files(options.root, options.limit)
    if not paths:
        print("pipeline: no .py files found", file=sys.stderr)
        return 1
    try:
        return compare(contenders, paths, options)
    except WorkerFailed as error:
        print(f"pipeline: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("pipeline: interrupted", file=sys.stderr)
        return 130


def compare(contenders: Sequence[str], paths: Sequence[Path], options: argparse.Namespace) -> int:
    for path in paths:  # the first run must not be the only one to wait for the disk
        with suppress(OSError):
            path.read_bytes()
    real: dict[str, list[float]] = {name: [] for name in contenders}
    empty: dict[str, list[float]] = {name: [] for name in contenders}
    tallies: list[Tally] = []
    for _ in range(options.rounds):
        for name in contenders:
            queues = queue_module(name)
            tally, seconds = count_names(queues, paths, options)
            tallies.append(tally)
            if tally != tallies[0]:
                print(f"pipeline: {name} counted something else", file=sys.stderr)
                return 1
            real[name].append(seconds)
            empty[name].append(count_nothing(queues, len(paths), tally.messages, options))
    report(paths, tallies[0], real, empty, options)
    return 0


def report(
    paths: Sequence[Path],
    tally: Tally,
    real: dict[str, list[float]],
    empty: dict[str, list[float]],
    options: argparse.Namespace,
) -> None:
    crossed = 2 * len(paths) + tally.messages
    skipped = ", ".join(f"{count} {reason}" for reason, count in sorted(tally.skipped.items()))
    top = ", ".join(f"{name} {count:,}" for name, count in tally.names.most_common(5))
    print(
        f"{interpreter()}; {options.readers} readers, {options.workers} tokenizers, "
        f"bound {options.bound}, grain {options.grain}, rounds {options.rounds}\n"
    )
    print(f"  files        {len(paths):,} (skipped: {skipped or 'none'})")
    print(f"  identifiers  {tally.names.total():,}, {len(tally.names):,} distinct: {top}")
    print(f"  queue items  {crossed:,}\n")
    rows = []
    for name, times in real.items():
        seconds, alone = statistics.median(times), statistics.median(empty[name])
        rows.append(
            [
                name,
                f"{seconds:.3f} s",
                f"{alone:.3f} s",
                f"{alone / seconds:.1%}",
                f"{alone / crossed * 1e6:.2f} us",
            ]
        )
    print_table(["queue", "run", "empty run", "empty/run", "per item, empty"], rows)
    data = {
        "files": len(paths),
        "skipped": dict(tally.skipped),
        "queue_items": crossed,
        "identifiers": tally.names.total(),
        "distinct": len(tally.names),
        "digest": tally.digest(),
        "grain": options.grain,
        "seconds": real,
        "empty_seconds": empty,
    }
    if len(real) == 2:
        print(
            "\n  same counts; stdlib's time / fastprims' time: "
            f"run {median_ratio(real['stdlib'], real['fastprims'])}, "
            f"empty run {median_ratio(empty['stdlib'], empty['fastprims'])}"
        )
    write_json(options.json, data)


if __name__ == "__main__":
    sys.exit(main())
