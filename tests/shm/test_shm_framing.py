"""Records that no ShmQueue has written, found by one: changed tags, counts, sizes, lengths."""

from __future__ import annotations

import pickle
import random
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("ShmQueue is for Linux", allow_module_level=True)

from fastprims import ShmQueue
from fastprims._shm.pickling import encode

ROUNDS = 300
WORD = 8
ALIGNMENT = 16


@pytest.fixture
def q() -> Iterator[ShmQueue[Any]]:
    with ShmQueue[Any](capacity=1 << 16) as made:
        yield made


def record_of(obj: object) -> bytes:
    tag, parts = encode(obj)
    return tag.to_bytes(WORD, sys.byteorder) + b"".join(parts)


def tag_of(record: bytes) -> int:
    return int.from_bytes(record[:WORD], sys.byteorder)


def objects(rng: random.Random) -> Any:
    """Buffers out of band, of sizes on both sides of the alignment, and what lies between them."""
    sizes = [rng.choice([0, 1, 15, 16, 17, 100, 777]) for _ in range(rng.randint(1, 5))]
    return [pickle.PickleBuffer(rng.randbytes(size)) for size in sizes] + [rng.random()]


def some_number(rng: random.Random, old: int) -> int:
    near = old + rng.choice([-17, -16, -8, -1, 1, 8, 16, 17])
    any_size = rng.getrandbits(rng.randint(1, 64))
    return rng.choice([near % 2**64, any_size, 0, 1, 2, 2**61, 2**63, 2**64 - 1])


def change_tag(rng: random.Random, record: bytes) -> bytes:
    return some_number(rng, tag_of(record)).to_bytes(WORD, sys.byteorder) + record[WORD:]


def change_size(rng: random.Random, record: bytes) -> bytes:
    at = WORD * rng.randint(1, tag_of(record))
    old = int.from_bytes(record[at : at + WORD], sys.byteorder)
    changed = some_number(rng, old).to_bytes(WORD, sys.byteorder)
    return record[:at] + changed + record[at + WORD :]


def flip_a_bit(rng: random.Random, record: bytes) -> bytes:
    changed = bytearray(record)
    changed[rng.randrange(WORD * (1 + tag_of(record)))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def cut_off(rng: random.Random, record: bytes) -> bytes:
    return record[: rng.randrange(len(record))]


def append(rng: random.Random, record: bytes) -> bytes:
    return record + rng.randbytes(rng.randint(1, 40))


def nothing_but_noise(rng: random.Random, record: bytes) -> bytes:
    few = rng.randint(2, 6).to_bytes(WORD, sys.byteorder)
    return rng.choice([b"", few]) + rng.randbytes(rng.randint(0, 60))


CHANGES = [change_tag, change_size, flip_a_bit, cut_off, append, nothing_but_noise]


def fits(tag: int, rest: bytes) -> bool:
    """Do the sizes add up to the record?"""
    if WORD * tag > len(rest):
        return False
    first, *others = struct.unpack_from(f"={tag}Q", rest)
    ends = [WORD * tag + first, *others]
    return sum(-(-end // ALIGNMENT) * ALIGNMENT for end in ends) == len(rest)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_changed_record_is_refused_and_the_next_one_is_got(
    q: ShmQueue[Any], change: Callable[[random.Random, bytes], bytes], seed: int
) -> None:
    rng = random.Random(seed)
    refused = 0
    for number in range(ROUNDS):
        record = record_of(objects(rng))
        changed = change(rng, record)
        tag, rest = tag_of(changed), changed[WORD:]
        q._ring.put(changed)
        q.put(number)
        if len(changed) < WORD or (tag > 1 and not fits(tag, rest)):
            with pytest.raises(pickle.UnpicklingError, match="damaged"):
                q.get()
            refused += 1
        elif tag == 1:
            assert q.get() == rest
        else:  # what is said to be a pickle may be anything
            try:
                q.get()
            except Exception as error:
                assert "damaged" not in str(error)
        assert q.get() == number
        assert q.empty()
    assert refused > ROUNDS // 10


def test_what_is_not_changed_fits(q: ShmQueue[Any]) -> None:
    rng = random.Random(1)
    for _ in range(ROUNDS):
        put = objects(rng)
        record = record_of(put)
        assert fits(tag_of(record), record[WORD:])
        q._ring.put(record)
        *buffers, last = q.get()
        assert [bytes(b) for b in buffers] == [bytes(b) for b in put[:-1]] and last == put[-1]


@pytest.mark.parametrize("size", range(WORD))
def test_a_record_too_short_for_a_tag_is_refused_and_gone(q: ShmQueue[Any], size: int) -> None:
    q._ring.put(b"\0" * size)
    q.put("next")
    with pytest.raises(pickle.UnpicklingError, match="damaged"):
        q.get()
    assert q.get() == "next"
