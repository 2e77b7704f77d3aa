"""What a node says about itself in /diagnostics."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Level(IntEnum):
    """Levels of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2


class Condition(NamedTuple):
    """How a node is: how bad, and one sentence of why."""

    level: Level
    message: str
