"""Which passages are near a question in meaning, by vectors that a model made of both.

A vector is kept as unit length float32, little end first, and beside it as the signs of its numbers, a bit each. Signs
are compared in a microsecond and find candidates; the numbers put those in order.
"""

import struct
from collections.abc import Mapping, Sequence
from heapq import nsmallest
from math import isfinite, sqrt
from operator import mul
from typing import Final

MOST_NUMBERS: Final = 4096  # of a vector; the largest models in use make 3,072 or 4,096
CANDIDATES: Final = 200  # whose numbers are compared, after the signs of all
_SMOOTHS: Final = 60  # of reciprocal rank fusion, as its authors have it


def pack(numbers: Sequence[float]) -> bytes | None:
    """A vector as it is kept; None where it has no direction, or a number that is none."""
    if not 0 < len(numbers) <= MOST_NUMBERS or not all(map(isfinite, numbers)):
        return None
    largest = max(map(abs, numbers))
    if largest == 0:
        return None
    scaled = [number / largest for number in numbers]  # first, so that no square overflows
    length = sqrt(sum(map(mul, scaled, scaled)))
    return struct.pack(f"<{len(scaled)}f", *(number / length for number in scaled))


def signs_of(vector: bytes) -> bytes:
    """The signs of a packed vector's numbers, a bit each."""
    bits = "".join("1" if number > 0 else "0" for number in _numbers(vector))
    return int(bits, 2).to_bytes((len(bits) + 7) // 8, "big")


def candidates(signs: Mapping[int, bytes], question: bytes) -> list[int]:
    """The passages, by number, whose signs differ least from those of a question; those of another length never."""
    asked = signs_of(question)
    wanted = int.from_bytes(asked, "big")
    apart = {
        number: (int.from_bytes(one, "big") ^ wanted).bit_count()
        for number, one in signs.items()
        if len(one) == len(asked)
    }
    return nsmallest(CANDIDATES, apart, key=lambda number: (apart[number], number))


def nearest(vectors: Mapping[int, bytes], question: bytes) -> list[tuple[float, int]]:
    """Passages by number, nearest first, each with its cosine; those of another length never."""
    asked = _numbers(question)
    found = [
        (sum(map(mul, _numbers(vector), asked)), number)
        for number, vector in vectors.items()
        if len(vector) == len(question)
    ]
    return sorted(found, key=lambda pair: (-pair[0], pair[1]))


def fuse(*orders: Sequence[int]) -> list[int]:
    """One order of several, by reciprocal rank: what stands high in any is high, and higher what does in all."""
    scores: dict[int, float] = {}
    for order in orders:
        for place, number in enumerate(order, 1):
            scores[number] = scores.get(number, 0.0) + 1 / (_SMOOTHS + place)
    return sorted(scores, key=lambda number: (-scores[number], number))


def _numbers(vector: bytes) -> Sequence[float]:
    return struct.unpack(f"<{len(vector) // 4}f", vector)
