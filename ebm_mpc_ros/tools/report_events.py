"""What nodes said of themselves in /diagnostics: sentences with from and to, and numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

Floats = NDArray[np.float64]

LEVELS = ("ok", "warning", "error", "stale")
_LONGEST = 300
_NIS = re.compile(r"(\S+) \((\S+) to (\S+)\)")
_NIS_KEY = " NIS/dof"
_NUMBER = re.compile(r"\d[\d.]*")
# ns; a node that is silent for longer has said nothing in between.
_SILENCE = 3_000_000_000


class Said(NamedTuple):
    """What a node said, from and to in s, its level as in `LEVELS`."""

    begin: float
    end: float
    node: str
    level: int
    message: str


class Diagnoses:
    """Collects diagnostic_msgs/DiagnosticStatus.

    Args:
        figures: Which numbers to take, beside those of consistency.
        namespace: Of these nodes only; of all where it is empty.
    """

    def __init__(self, figures: Container[str], namespace: str = "") -> None:
        self._wanted = figures
        self._prefix = namespace.lstrip("/") + "/" if namespace.strip("/") else ""
        self._said: list[list[Any]] = []
        self._latest: dict[str, list[Any]] = {}
        self._figures: dict[tuple[str, str], list[tuple[int, float]]] = {}

    def take(self, now: int, statuses: Iterable[Any]) -> None:
        """Take what was said at `now` (ns)."""
        for status in statuses:
            node = _short(str(status.name).lstrip("/"))
            if not node.startswith(self._prefix):
                continue
            self._take_status(now, node, int(status.level), _short(str(status.message)))
            for entry in status.values:
                self._take_figure(now, node, str(entry.key), str(entry.value))

    def _take_status(self, now: int, node: str, level: int, message: str) -> None:
        latest = self._latest.get(node)
        if latest is not None:
            goes_on = now - latest[1] < _SILENCE
            if goes_on:
                latest[1] = now
            if goes_on and latest[3] == level and _alike(latest[4], message):
                return
        fresh = [now, now, node, level, message]
        self._latest[node] = fresh
        self._said.append(fresh)

    def _take_figure(self, now: int, node: str, key: str, text: str) -> None:
        if key in self._wanted:
            numbers = {key: text}
        elif key.endswith(_NIS_KEY) and (match := _NIS.fullmatch(text)):
            numbers = dict(zip((key, f"{key} low", f"{key} high"), match.groups(), strict=True))
        else:
            return
        for name, number in numbers.items():
            try:
                value = float(number)
            except ValueError:
                continue
            self._figures.setdefault((node, name), []).append((now, value))

    def told(self, start: int, end: int) -> tuple[list[Said], dict[tuple[str, str], Floats]]:
        """Return what was said and the figures (k, 2), in s from `start`; `end` ends the last."""
        said = []
        for entry in self._said:
            begin, until, node, level, message = entry
            if self._latest[node] is entry and end - until < _SILENCE:
                until = max(until, end)
            begin, until = (max(0.0, (time - start) * 1e-9) for time in (begin, until))
            said.append(Said(begin, until, node, level, message))
        figures = {
            key: np.array([((now - start) * 1e-9, value) for now, value in rows])
            for key, rows in self._figures.items()
        }
        return said, figures


def nis_sources(figures: dict[tuple[str, str], Floats]) -> list[tuple[str, str]]:
    """Return (node, input) for which a running mean of NIS was told."""
    return sorted(
        (node, key.removesuffix(_NIS_KEY)) for node, key in figures if key.endswith(_NIS_KEY)
    )


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _alike(one: str, other: str) -> bool:
    """Return whether two sentences differ in their numbers at most."""
    return one == other or _NUMBER.sub("", one) == _NUMBER.sub("", other)
