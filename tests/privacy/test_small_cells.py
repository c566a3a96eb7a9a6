"""A count that is left out cannot be worked out from what is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oncoweave.privacy.small_cells import suppressed


@given(st.lists(st.integers(0, 30), max_size=12), st.integers(2, 11))
def test_no_hidden_count_follows_from_the_total(counts: list[int], smallest: int) -> None:
    """Whoever knows the total and that a hidden count is at least 1 cannot say what it is, nor that it is small."""
    groups = dict(enumerate(counts))
    told = suppressed(groups, smallest)
    hidden = {name for name, count in told.items() if count is None}
    assert {name for name, count in groups.items() if 0 < count < smallest} <= hidden
    assert all(told[name] == 0 for name, count in groups.items() if not count)
    if hidden and len(hidden) < sum(1 for count in counts if count):
        rest = sum(counts) - sum(count for count in told.values() if count)
        assert len(hidden) > 1
        assert rest - len(hidden) + 1 > 1
        assert rest > smallest


@given(st.lists(st.integers(0, 30), max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_the_groups_does_not_matter(counts: list[int], random: object) -> None:
    groups = {f"g{n:02}": count for n, count in enumerate(counts)}
    backwards = dict(reversed(groups.items()))
    assert suppressed(groups, 5) == suppressed(backwards, 5)


def test_groups_of_few_persons_are_left_out_whatever_they_count() -> None:
    assert suppressed({2001: 90, 2002: 40, 2003: 70}, 5, small={2002}) == {2001: 90, 2002: None, 2003: None}
    assert suppressed({2001: 90, 2002: 0}, 5, small={2002}) == {2001: 90, 2002: 0}
