"""What an error leads to, which Airflow prints and sends on."""

from __future__ import annotations


def chain(error: BaseException | None) -> list[BaseException]:
    """The error and everything that it leads to, suppressed or not."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
