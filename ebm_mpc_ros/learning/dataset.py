"""Rows of drives as a training set: split by time, normalised by the earlier part, digested."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.learning.normaliser import Scaling, constant
from ebm_mpc_ros.learning.recording import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ebm_mpc_ros.learning.recording import Floats, Stamps

Rows = NDArray[np.float32]


class Drive(NamedTuple):
    """Rows of one drive: conditions (k, C), variables (k, …, m), begin and end stamps (ns)."""

    conditions: Floats
    variables: Floats
    begin: Stamps
    end: Stamps


class Dataset(NamedTuple):
    """Normalised c (M, C) and y (M, d), those before and those after the split."""

    train: tuple[Rows, Rows]
    held_out: tuple[Rows, Rows]
    condition_scaling: Scaling
    variable_scaling: Scaling
    digest: str
    split: int
    """How many rows reach over the split, and so are in neither part."""
    warnings: tuple[str, ...]


def dataset(
    drives: Sequence[Drive],
    *,
    held_out: float,
    condition_names: Sequence[str],
    variable_names: Sequence[str],
    scale_variables: bool,
    source: str,
) -> Dataset:
    """Split each drive in time and normalise by what comes before the split.

    A row that reaches over the split is in neither part.

    Args:
        drives: The drives.
        held_out: Share of each drive's time, its last, that is held out.
        condition_names: Names of the columns of c.
        variable_names: Names of the variables' last axis.
        scale_variables: Whether the variables are normalised; else they are as they should be.
        source: Where it all comes from, for the sentences.

    Raises:
        DataError: A part is empty, a number is not finite, or a variable never changes.
    """
    early, late = [], []
    for drive in drives:
        if not len(drive.begin):
            continue
        split = _split(drive.begin, drive.end, held_out)
        early.append(_rows(drive, drive.end <= split))
        late.append(_rows(drive, drive.begin >= split))
    if not early or not sum(len(c) for c, _ in early):
        raise DataError(f"{source}: too short to learn from")
    if not sum(len(c) for c, _ in late):
        raise DataError(
            f"{source}: too short for anything to be held out: held_out = {held_out:g} must be "
            "larger, or the bags longer"
        )
    c, y = (np.concatenate(parts) for parts in zip(*early, strict=True))
    c_late, y_late = (np.concatenate(parts) for parts in zip(*late, strict=True))
    for what, values in (("conditions", (c, c_late)), ("inputs", (y, y_late))):
        if not all(np.isfinite(part).all() for part in values):
            raise DataError(f"{source}: the {what} computed from it are not finite")
    steps = y.reshape(-1, y.shape[-1])
    never = _named(variable_names, constant(steps))
    if never:
        raise DataError(
            f"{source}: {never} never changes before the last {held_out:.0%}, which are held out: "
            "there is nothing to learn of it"
        )
    still = _named(condition_names, constant(c))
    variable = Scaling.of(steps) if scale_variables else Scaling.identity(y.shape[-1])
    condition = Scaling.of(c)

    def normalised(c: Floats, y: Floats) -> tuple[Rows, Rows]:
        flat = variable.normalise(y).reshape(len(y), -1)
        return condition.normalise(c).astype(np.float32), flat.astype(np.float32)

    return Dataset(
        normalised(c, y),
        normalised(c_late, y_late),
        condition,
        variable,
        _digest(c, y, c_late, y_late),
        sum(len(drive.begin) for drive in drives) - len(c) - len(c_late),
        (f"{source}: {still} never changes: what it means can't be learned",) if still else (),
    )


def before_split(begin: Stamps, end: Stamps, held_out: float) -> NDArray[np.bool_]:
    """Return which rows of a drive, with those stamps (k,) in ns, are learned from."""
    return np.asarray(end <= _split(begin, end, held_out))


def _split(begin: Stamps, end: Stamps, held_out: float) -> int:
    return int(end[-1]) - round(held_out * float(end[-1] - begin[0]))


def _rows(drive: Drive, chosen: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    return drive.conditions[chosen], drive.variables[chosen]


def _named(names: Sequence[str], chosen: NDArray[np.bool_]) -> str:
    return ", ".join(name for name, one in zip(names, chosen, strict=True) if one)


def _digest(*arrays: Floats) -> str:
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.shape} ".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()
