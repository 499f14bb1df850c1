"""How long a load has its database open: never while leads are read."""

from __future__ import annotations

from contextlib import ExitStack

from airflow_provider_sela.warehouse.engine import Engine


class Opening:
    """An engine that may be opened before its leads land, and stays open until they have.

    A context manager: leaving closes the engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open = ExitStack()
        self._is_open = False

    def __enter__(self) -> Opening:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def open(self) -> None:
        """Connect, unless that is done."""
        if not self._is_open:
            self._open.enter_context(self._engine)
            self._is_open = True

    def close(self) -> None:
        """Give the connection back, as before somebody reads on."""
        self._is_open = False
        self._open.close()
