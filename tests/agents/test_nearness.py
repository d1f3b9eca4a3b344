"""Passages are found by what they mean: vectors are kept small, compared fast, and joined with the order of words."""

from math import inf, nan
from random import Random

import pytest

from overture.agents import nearness


def packed(*numbers: float) -> bytes:
    vector = nearness.pack(numbers)
    assert vector is not None
    return vector


@pytest.mark.parametrize("numbers", [(), (0.0, 0.0), (1.0, nan), (inf, 1.0), (1.0,) * (nearness.MOST_NUMBERS + 1)])
def test_a_vector_without_a_direction_is_not_kept(numbers: tuple[float, ...]) -> None:
    assert nearness.pack(numbers) is None


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_only_the_direction_of_a_vector_counts(scale: float) -> None:
    assert packed(3 * scale, -4 * scale) == packed(3, -4)


def test_the_nearest_is_first_and_another_length_is_left_out() -> None:
    vectors = {1: packed(0, 1), 2: packed(1, 0.1), 3: packed(1, 1), 4: packed(1, 0, 0)}
    found = nearness.nearest(vectors, packed(1, 0))
    assert [number for _, number in found] == [2, 3, 1]
    assert found[1][0] == pytest.approx(0.7071, abs=1e-3)


def test_signs_find_the_passage_that_a_question_lies_next_to_among_thousands() -> None:
    random = Random(7)
    drawn = [[random.gauss(0, 1) for _ in range(64)] for _ in range(2000)]
    signs = {number: nearness.signs_of(packed(*one)) for number, one in enumerate(drawn)}
    for number in range(0, 2000, 200):
        near = packed(*(value + random.gauss(0, 0.5) for value in drawn[number]))
        found = nearness.candidates(signs, near)
        assert number in found
        assert len(found) == nearness.CANDIDATES
    assert nearness.candidates({1: b"\0"}, packed(*drawn[0])) == []


def test_what_both_orders_hold_is_before_what_one_has_first() -> None:
    assert nearness.fuse([1, 2], [3, 2]) == [2, 1, 3]
    assert nearness.fuse([4, 5], []) == [4, 5]
    assert nearness.fuse() == []
