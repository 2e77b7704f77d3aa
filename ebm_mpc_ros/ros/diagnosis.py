"""What a node says about itself in /diagnostics."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Level(IntEnum):
    """Levels of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True)
class Diagnosis:
    """A node's condition: how bad, in one sentence, and figures by name."""

    level: Level
    message: str
    values: Mapping[str, object] = field(default_factory=dict)
