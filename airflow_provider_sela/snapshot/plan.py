"""Which windows to ask for. Page numbers allow only offsets that are multiples of the page size, so an
offset in between is reached by varying both."""

from __future__ import annotations

from collections.abc import Container

from airflow_provider_sela.snapshot.windows import Window

OVERLAP = 3
"""Ranks that neighbours share at least; on average it is more, because few offsets can be had exactly. Where
it is not enough a repair costs one request, while more of it costs requests on every list, quiet ones too."""

_GROWTH = 8
"""Leads that may have been added since a list was counted, for which the window of its end has room."""
_SIZES = 8
"""Part of a page by which it may be smaller than it could be, so that its URL is another one than before."""


def front(cap: int, asked: Container[Window] = (), *, least: int = 0) -> Window:
    """The first page, of a size that was not asked for yet: the same URL again may get the same answer from
    a cache.

    :param least: leads that it must be able to hold.
    """
    sizes = range(cap, max(cap - max(cap // _SIZES, 2), least), -1)
    return next((window for size in sizes if (window := Window(1, size)) not in asked), Window(1, cap))


def reaching(offset: int, cap: int) -> Window:
    """The window that starts at ``offset`` or before it and stops as far behind it as it can."""
    furthest = chosen = 0
    for size in range(cap, cap // 2, -1):
        if size <= furthest:
            # None stops further behind the offset than by its size.
            break
        if (reach := size - offset % size) > furthest:
            furthest, chosen = reach, size
    return Window(offset // chosen + 1, chosen)


def _stopping(stop: int, cap: int) -> Window:
    """The window that stops at ``stop`` or behind it and starts as far ahead of it as it can."""
    windows = (Window(-(-stop // size), size) for size in range(cap, cap // 2, -1))
    return min(windows, key=lambda window: (window.offset, -window.stop))


def cover(start: int, stop: int, cap: int, overlap: int) -> list[Window]:
    """Windows, first to last, that hold the ranks from ``start`` to before ``stop``.

    :param start: first rank.
    :param stop: rank after the last.
    :param cap: greatest page size.
    :param overlap: ranks that neighbours share at least. Neighbours that only touch prove nothing: a lead may
        have slipped from one to the other between the two answers.
    """
    windows = [reaching(max(start, 0), cap)]
    while windows[-1].stop < stop:
        windows.append(after(windows[-1].stop, cap, overlap))
    return windows


def after(reached: int, cap: int, overlap: int) -> Window:
    """The window that holds some ranks before ``reached`` and goes on from there as far as it can."""
    # Small pages leave few offsets to choose from; less overlap is better than none.
    onward = (reaching(reached - shared, cap) for shared in range(min(overlap, cap // 2), -1, -1))
    return next(window for window in onward if window.stop > reached)


def before(reached: int, cap: int, overlap: int) -> Window:
    """The window that holds some ranks from ``reached`` on and goes back from there as far as it can."""
    onward = (_stopping(reached + shared, cap) for shared in range(min(overlap, cap // 2), -1, -1))
    return next(window for window in onward if window.offset < reached)


def around(start: int, stop: int, cap: int, overlap: int, asked: Container[Window] = ()) -> list[Window]:
    """Windows over the ranks from ``start`` to before ``stop``: the one that reaches furthest over both ends,
    or as many as it takes. One that was asked for already is only taken where none reaches nearly as far."""
    low, high = max(start - overlap, 0), stop + overlap
    holding = [
        window for size in range(cap, cap // 2, -1) if (window := Window(low // size + 1, size)).stop >= high
    ]
    if holding:

        def reach(window: Window) -> tuple[int, int]:
            return min(start - window.offset, window.stop - stop), window.stop

        furthest = max(holding, key=reach)
        nearly = reach(furthest)[0] * (_SIZES - 1) // _SIZES
        fresh = [window for window in holding if window not in asked and reach(window)[0] >= nearly]
        return [max(fresh, key=reach, default=furthest)]
    return cover(low, high, cap, overlap)


def tail(count: int, cap: int, asked: Container[Window] = ()) -> Window:
    """The window that holds the end of the list and reaches as far up from it as one response can.

    There is some room behind the end, for leads that were added since.

    :param count: length of the list when it was last heard of.
    :param cap: greatest page size.
    :param asked: windows that were asked for already, taken only where no other will do.
    """
    stop = count + min(_GROWTH, cap // 4)
    deepest = max(count - cap // 4, 0)
    windows = (Window(-(-stop // size), size) for size in range(cap, cap // 2, -1))
    fitting = sorted(
        (window for window in windows if window.offset <= deepest), key=lambda window: window.offset
    )
    if not fitting:
        return Window(max(-(-count // cap), 1), cap)
    nearly = fitting[0].offset + cap // 4
    fresh = (window for window in fitting if window not in asked and window.offset <= nearly)
    return next(fresh, fitting[0])
