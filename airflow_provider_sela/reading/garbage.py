"""The garbage collector while thousands of leads come and go."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def frozen() -> Iterator[None]:
    """Spare the garbage collector all that Airflow has imported.

    It would look through that again with every few pages, for a tenth of the CPU of a read and more. Where
    somebody has frozen it already, nothing is left to do.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
