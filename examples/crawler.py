"""A web crawler: an event loop fetches, threads compute, and two queues connect them.

    python examples/crawler.py
    python examples/crawler.py --pages 2000 --fetchers 50 --threads 4 --json crawl.json

A server on the loopback has a site of linked pages. Tasks of one event loop take an address from
`addresses`, fetch the page and put it into `pages`; threads take it out, look for links and count
words, and put the addresses that are new into `addresses`. So each queue has one end in the loop and
one in threads, in both directions, and nobody polls:

    tasks    await addresses.async_q.get()     await pages.async_q.put(...)
    threads  addresses.put(...)                pages.get()

`pages` is bounded: tasks that fetch faster than the threads compute wait, and only they. The end of
the crawl is the end of the tasks that `addresses` counts: an address is done when its page's links
have been put. At the end the words found must be those that the site has.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _shared import at_least, print_table, write_json

from fastprims import AtomicInt, Ctrie, Queue, ShutDown

WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
LINK = re.compile(r'href="(/[0-9]+)"')
WORD = re.compile(r"\b[a-z]+\b")


class Site:
    """Pages with links to each other, all of them reachable from the first."""

    def __init__(self, size: int, words: int, seed: int = 1) -> None:
        rng = random.Random(seed)
        self.pages: dict[str, str] = {}
        self.words: Counter[str] = Counter()
        self.served = 0
        for n in range(size):
            children = [c for c in (2 * n + 1, 2 * n + 2) if c < size]
            links = children + [rng.randrange(size) for _ in range(4)]
            text = [rng.choice(WORDS) for _ in range(words)]
            self.words.update(text)
            anchors = " ".join(f'<a href="/{link}">{link}</a>' for link in links)
            self.pages[f"/{n}"] = f"<p>{' '.join(text)}</p>{anchors}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        body = self.pages[request.split()[1].decode()].encode()
        self.served += 1
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()


@dataclass
class Crawl:
    """What the tasks and the threads share."""

    port: int
    bound: int
    addresses: Queue[str] = field(default_factory=Queue)
    pages: Queue[str] = field(init=False)
    seen: Ctrie[str, bool] = field(default_factory=Ctrie)
    fetched: AtomicInt = field(default_factory=AtomicInt)
    counts: list[Counter[str]] = field(default_factory=list)  # one for each thread

    def __post_init__(self) -> None:
        self.pages = Queue(self.bound)

    def offer(self, address: str) -> None:
        """An address that a page names; known ones are dropped."""
        if self.seen.put_if_absent(address, True):
            self.addresses.put(address)

    async def fetch(self) -> None:
        """One of the tasks."""
        async for address in self.addresses.async_q:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(f"GET {address} HTTP/1.0\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            self.fetched.fetch_add()
            await self.pages.async_q.put(answer.decode().partition("\r\n\r\n")[2])

    def compute(self, found: Counter[str]) -> None:
        """One of the threads."""
        try:
            while True:
                page = self.pages.get()
                for address in LINK.findall(page):
                    self.offer(address)
                found.update(WORD.findall(re.sub("<a.*?</a>|<.*?>", " ", page)))
                self.addresses.task_done()  # after its links were put: else join() could return
        except ShutDown:
            pass


async def crawl(site: Site, options: argparse.Namespace) -> Crawl:
    server = await asyncio.start_server(site.answer, "127.0.0.1", 0, backlog=1024)
    state = Crawl(server.sockets[0].getsockname()[1], options.bound)
    state.counts = [Counter() for _ in range(options.threads)]
    threads = [threading.Thread(target=state.compute, args=(found,)) for found in state.counts]
    for thread in threads:
        thread.start()
    tasks = [asyncio.create_task(state.fetch()) for _ in range(options.fetchers)]
    try:
        state.offer("/0")
        await state.addresses.async_q.join()
    finally:
        state.addresses.shutdown()  # ends the tasks
        state.pages.shutdown()  # and the threads
        await asyncio.gather(*tasks)
        for thread in threads:
            thread.join()
        server.close()
        await server.wait_closed()
    return state


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pages", type=at_least(1), default=500)
    parser.add_argument("--words", type=at_least(1), default=400, help="of a page")
    parser.add_argument("--fetchers", type=at_least(1), default=20, help="tasks")
    parser.add_argument("--threads", type=at_least(1), default=2)
    parser.add_argument("--bound", type=at_least(1), default=16, help="of the queue of pages")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    options = parser.parse_args(arguments)
    site = Site(options.pages, options.words)
    began = time.perf_counter()
    state = asyncio.run(crawl(site, options))
    seconds = time.perf_counter() - began
    found: Counter[str] = sum(state.counts, Counter())
    results: dict[str, Any] = {
        "pages": options.pages,
        "served": site.served,
        "fetched": state.fetched.load(),
        "words": found.total(),
        "waits_for_threads": state.pages.stats().put_waits,
        "seconds": seconds,
    }
    print_table(
        ["", "pages", "words"],
        [
            ("the site has", options.pages, site.words.total()),
            ("fetched and counted", state.fetched.load(), found.total()),
        ],
    )
    print(f"\n{options.pages / seconds:,.0f} pages a second")
    write_json(options.json, {"results": results})
    if (site.served, state.fetched.load()) != (options.pages, options.pages) or found != site.words:
        print("crawler: pages were lost or fetched twice", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
