"""Windows are where page numbers allow them, and overlap."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sela.snapshot.plan import after, around, before, cover, reaching, tail
from airflow_provider_sela.snapshot.windows import Window


@given(
    start=st.integers(0, 3000),
    length=st.integers(1, 3000),
    cap=st.integers(4, 300),
    overlap=st.integers(0, 9),
)
def test_a_cover_holds_every_rank_and_neighbours_overlap(
    start: int, length: int, cap: int, overlap: int
) -> None:
    windows = cover(start, start + length, cap, overlap)
    assert windows[0].offset <= start
    assert windows[-1].stop >= start + length
    assert all(window.page >= 1 and 1 <= window.page_size <= cap for window in windows)
    for one, other in pairwise(windows):
        assert one.offset <= other.offset
        assert one.stop - other.offset >= min(overlap, cap // 10)


@given(reached=st.integers(1, 3000), cap=st.integers(1, 120), overlap=st.integers(0, 12))
def test_a_step_down_overlaps_and_goes_far_in_either_direction(reached: int, cap: int, overlap: int) -> None:
    down, up = after(reached, cap, overlap), before(reached, cap, overlap)
    assert down.offset <= reached < down.stop
    assert up.offset < reached <= up.stop
    if reached > cap >= 10:
        least = min(overlap, cap // 10)
        assert min(reached - down.offset, up.stop - reached) >= least
        # Small pages leave few offsets to choose from.
        far = cap // 2 if cap >= 30 else cap // 6
        assert min(down.stop - reached, reached - up.offset) >= far - overlap


@given(offset=st.integers(0, 100_000), cap=st.integers(1, 300))
def test_no_window_from_an_offset_or_before_it_reaches_further(offset: int, cap: int) -> None:
    chosen = reaching(offset, cap)
    every = [Window(offset // size + 1, size) for size in range(cap, cap // 2, -1)]
    assert chosen == max(every, key=lambda window: (window.stop, window.page_size))


@given(start=st.integers(0, 3000), length=st.integers(1, 300), cap=st.integers(4, 300))
def test_a_repair_reaches_over_both_edges_of_its_gap(start: int, length: int, cap: int) -> None:
    windows = around(start, start + length, cap, 3)
    assert windows[0].offset <= max(start - 3, 0)
    assert windows[-1].stop >= start + length + 3


@given(count=st.integers(1, 5000), cap=st.integers(4, 300))
def test_the_tail_holds_the_end_with_room_behind_it(count: int, cap: int) -> None:
    window = tail(count, cap)
    assert window.offset < count
    assert window.page_size <= cap
    assert window.stop >= count
    assert cap < 20 or window.stop >= count + min(8, cap // 4)


def test_a_window_knows_its_ranks() -> None:
    assert (Window(3, 92).offset, Window(3, 92).stop) == (184, 276)
