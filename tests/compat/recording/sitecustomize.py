"""Writes down each deprecation warning that our code causes, in every Python with this folder in its path.

A warning names the line that the warner blames by ``stacklevel``, often wrongly. Here the blame goes to the
innermost caller of the module that warns: what it called or imported is what is deprecated.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from types import FrameType
from typing import Any

OURS = "airflow_provider_sela"
#: What stands between a warner and its caller: decorators, lazy attributes, the import system.
_BETWEEN = ("warnings", "typing_extensions", "importlib._bootstrap", "importlib", "lazy_importer")
_warn = warnings.warn


def culprit(frame: FrameType | None) -> FrameType | None:
    """The frame that called into the module to which ``frame`` belongs."""
    warner = module(frame)
    while frame is not None and (
        module(frame) in (warner, *_BETWEEN)
        or frame.f_code.co_name == "__getattr__"
        or "deprecat" in module(frame)
    ):
        frame = frame.f_back
    return frame


def module(frame: FrameType | None) -> str:
    """Name of a frame's module."""
    return str(frame.f_globals.get("__name__", "")) if frame else ""


def warn(message: Any, category: Any = None, stacklevel: int = 1, *args: Any, **kwargs: Any) -> None:
    """As ``warnings.warn``, and write it down if we are to blame."""
    kind = type(message) if isinstance(message, Warning) else category or UserWarning
    if issubclass(kind, DeprecationWarning | PendingDeprecationWarning | FutureWarning):
        frame = culprit(sys._getframe(1))
        if module(frame).partition(".")[0] == OURS:
            assert frame is not None
            with Path(os.environ["SELA_COMPAT_DEPRECATIONS"]).open("a") as file:
                place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                print(f"{place}: {kind.__name__}: {message}", file=file)
    _warn(message, category, stacklevel + 1, *args, **kwargs)


if "SELA_COMPAT_DEPRECATIONS" in os.environ:
    warnings.warn = warn
