"""The innovations of a run: noted by a filter's observer, kept in a table, summed in windows."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.estimation.consistency import Consistency

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ebm_mpc_ros.estimation.ekf import Measurement, Update

Floats = NDArray[np.float64]

FILE = "innovations.csv"
_COLUMNS = ("measurement", "stamp", "source", "output", "innovation", "sigma", "nis", "accepted")


class Innovation(NamedTuple):
    """What one measurement's innovation was.

    Attributes:
        stamp: Its time of validity, ns.
        source: The input it came from.
        nis: Normalised square, νᵀ S⁻¹ ν.
        degrees: How many numbers it has.
        rows: Which of the model's outputs they are.
        values: ν (degrees,), SI units.
        sigmas: √diag(S) (degrees,).
        accepted: Whether it was fused.
    """

    stamp: int
    source: str
    nis: float
    degrees: int
    rows: tuple[int, ...]
    values: Floats
    sigmas: Floats
    accepted: bool


class InnovationRecorder:
    """A filter's observer that keeps all innovations."""

    def __init__(self) -> None:
        self.innovations: list[Innovation] = []

    def __call__(self, measurement: Measurement, update: Update) -> None:
        """Keep one."""
        sigmas = np.sqrt(np.maximum(np.diagonal(update.innovation_covariance), 0.0))
        self.innovations.append(
            Innovation(
                measurement.stamp,
                measurement.source,
                update.nis,
                len(measurement.rows),
                measurement.rows,
                update.innovation,
                sigmas,
                update.accepted,
            )
        )


class Residuals(NamedTuple):
    """The innovations of one input in one output: times (k,) in ns, ν, σ, whether accepted."""

    stamps: NDArray[np.int64]
    values: Floats
    sigmas: Floats
    accepted: NDArray[np.bool_]


class Squares(NamedTuple):
    """The normalised squares of one input: times (k,) in ns, NIS, degrees of freedom."""

    stamps: NDArray[np.int64]
    nis: Floats
    degrees: NDArray[np.int64]


class InnovationTable(NamedTuple):
    """Innovations in columns, by input and by output."""

    residuals: dict[tuple[str, str], Residuals]
    squares: dict[str, Squares]


def to_table(innovations: Iterable[Innovation], output_names: Sequence[str]) -> InnovationTable:
    """Return innovations in columns; `output_names` are the model's."""
    return _table(
        (
            each.stamp,
            each.source,
            each.nis,
            each.accepted,
            [
                (output_names[row], value, sigma)
                for row, value, sigma in zip(
                    each.rows, each.values.tolist(), each.sigmas.tolist(), strict=True
                )
            ],
        )
        for each in innovations
    )


def write_innovations(
    path: Path, innovations: Sequence[Innovation], output_names: Sequence[str]
) -> None:
    """Write a row for every output of every measurement, in the order of fusion."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for number, each in enumerate(innovations):
            stamp = f"{each.stamp // 10**9}.{each.stamp % 10**9:09d}"
            for row, value, sigma in zip(each.rows, each.values, each.sigmas, strict=True):
                writer.writerow(
                    [
                        number,
                        stamp,
                        each.source,
                        output_names[row],
                        *(f"{number:.6g}" for number in (value, sigma, each.nis)),
                        int(each.accepted),
                    ]
                )


def read_innovations(path: Path) -> InnovationTable:
    """Return what `write_innovations` wrote.

    Raises:
        UserError: The file can't be read or is none of these.
    """
    measurements: dict[str, _Row] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            if tuple(next(reader, ())) != _COLUMNS:
                raise UserError(f"{path}: its first line must be {','.join(_COLUMNS)}")
            for line in reader:
                number, stamp, source, output, value, sigma, nis, accepted = line
                seconds, _, fraction = stamp.partition(".")
                row = measurements.setdefault(
                    number,
                    (int(seconds + fraction), source, float(nis), accepted == "1", []),
                )
                row[-1].append((output, float(value), float(sigma)))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path}: line {reader.line_num}: {error}") from error
    return _table(measurements.values())


_Row = tuple[int, str, float, bool, list[tuple[str, float, float]]]


def _table(rows: Iterable[_Row]) -> InnovationTable:
    residuals: dict[tuple[str, str], list[tuple[int, float, float, bool]]] = {}
    squares: dict[str, list[tuple[int, float, int]]] = {}
    for stamp, source, nis, accepted, outputs in rows:
        if outputs:
            squares.setdefault(source, []).append((stamp, nis, len(outputs)))
        for output, value, sigma in outputs:
            residuals.setdefault((source, output), []).append((stamp, value, sigma, accepted))
    return InnovationTable(
        {
            key: Residuals(*(np.array(c) for c in zip(*found, strict=True)))
            for key, found in residuals.items()
        },
        {
            key: Squares(*(np.array(c) for c in zip(*found, strict=True)))
            for key, found in squares.items()
        },
    )


class Windows(NamedTuple):
    """Mean NIS per degree of freedom by windows: middles, means, where 95 % of them should lie."""

    middles: Floats
    ratios: Floats
    lows: Floats
    highs: Floats


def nis_windows(times: Floats, nis: Floats, degrees: NDArray[np.int64], edges: Floats) -> Windows:
    """Return the windows between `edges` (w + 1,) that have innovations with a finite NIS."""
    places = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, len(edges) - 2)
    windows = [Consistency() for _ in edges[1:]]
    for place, each, freedom in zip(places.tolist(), nis.tolist(), degrees.tolist(), strict=True):
        windows[place].add(each, freedom)
    used = [k for k, window in enumerate(windows) if window.degrees]
    bounds = np.array([windows[k].bounds() for k in used]).reshape(-1, 2)
    return Windows(
        0.5 * (edges[:-1] + edges[1:])[used],
        np.array([windows[k].ratio for k in used]),
        bounds[:, 0],
        bounds[:, 1],
    )
