"""What the demo tells its reader when it cannot go on."""

from __future__ import annotations


class DemoError(Exception):
    """Why the demo cannot go on, in a line for its reader."""
