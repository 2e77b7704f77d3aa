"""What may be wrong with what the controller is given, as control_trials spoils it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.control import HalfPlanes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Vector = NDArray[np.float64]
Random = np.random.Generator

_FORMED = 0.1


@dataclass
class Given:
    """What a tick is given; spoilers change it."""

    reference: Any
    state: Any
    sent: Any
    half_planes: HalfPlanes | None
    age: int = 0
    """Of the state, in ns."""
    then: str = ""
    """What else is done to the controller, one of `_ORDERS`."""
    honest: bool = True
    """Whether a controller in order answers with a usable plan."""

    def arrays(self) -> list[Vector]:
        """Return the arrays among them."""
        planes = self.half_planes or ()
        given = (self.reference, self.state, self.sent, *planes)
        return [array for array in given if isinstance(array, np.ndarray)]


def _among(rng: Random, values: tuple[float, ...]) -> float:
    return float(values[rng.integers(len(values))]) * (-1.0 if rng.random() < 0.5 else 1.0)


def _put(rng: Random, given: Given, value: float) -> None:
    """Write a number somewhere into what is given."""
    given.honest = False
    where = rng.integers(5)
    if where == 1:
        given.state = _with(rng, given.state, value)
    elif where == 2 and given.sent is not None:
        given.sent = _with(rng, given.sent, value)
    elif where == 3 and given.half_planes is not None:
        normals, offsets = given.half_planes
        given.half_planes = HalfPlanes(_with(rng, normals, value), offsets)
    elif where == 4 and given.half_planes is not None:
        normals, offsets = given.half_planes
        given.half_planes = HalfPlanes(normals, _with(rng, offsets, value))
    else:
        given.reference = _with(rng, given.reference, value)


def _with(rng: Random, array: Vector, value: float) -> Vector:
    changed = array.copy()
    changed.flat[rng.integers(changed.size)] = value
    return changed


def _not_a_number(rng: Random, given: Given) -> None:
    _put(rng, given, math.nan)


def _infinite(rng: Random, given: Given) -> None:
    _put(rng, given, _among(rng, (math.inf,)))


def _huge(rng: Random, given: Given) -> None:
    _put(rng, given, _among(rng, (1.7e308, 1e308, 1e200, 1e100, 1e30, 1e16, 1e13)))


def _large(rng: Random, given: Given) -> None:
    _put(rng, given, _among(rng, (9e11, 1e9, 1e6, 1e5, 1e4, 1e3, 1e2)))


def _tiny(rng: Random, given: Given) -> None:
    _put(rng, given, _among(rng, (5e-324, 1e-308, 1e-300, 1e-160, 0.0)))


def _shaped(rng: Random, array: Vector) -> Any:
    """Return an array of another shape."""
    wrong = (
        lambda: np.append(array, array[-1:], axis=0),
        lambda: array[:-1],
        lambda: array[None],
        lambda: array[..., :-1],
        lambda: array[..., None],
        lambda: np.zeros(0),
        lambda: 1.0,
        lambda: array.ravel() if array.ndim > 1 else array[:, None],
    )
    return wrong[rng.integers(len(wrong))]()


def _wrong_shape(rng: Random, given: Given) -> None:
    given.honest = False
    where = rng.integers(4)
    if where == 1:
        given.state = _shaped(rng, given.state)
    elif where == 2 and given.sent is not None:
        given.sent = _shaped(rng, given.sent)
    elif where == 3 and given.half_planes is not None:
        normals, offsets = given.half_planes
        given.half_planes = HalfPlanes(normals[:-1], offsets)
        if rng.random() < 0.5:
            given.half_planes = HalfPlanes(normals, offsets[..., :-1])
    else:
        given.reference = _shaped(rng, given.reference)


def _text(rng: Random, given: Given) -> None:
    given.honest = False
    if rng.random() < 0.5:
        given.state = "here"
    else:
        given.reference = ["there"]


def _strided(array: Vector) -> Vector:
    """Return a view with NaN between the numbers."""
    buffer = np.full([2 * size + 1 for size in array.shape], math.nan)
    view = buffer[(slice(1, None, 2),) * array.ndim]
    view[...] = array
    return view


def _reversed(array: Vector) -> Vector:
    """Return a view of negative strides."""
    every = (slice(None, None, -1),) * array.ndim
    return array[every].copy()[every]


def _read_only(array: Vector) -> Vector:
    array = array.copy()
    array.setflags(write=False)
    return array


_FORMS: dict[str, Callable[[Vector], Any]] = {
    "strided": _strided,
    "reversed": _reversed,
    "Fortran order": np.asfortranarray,
    "read-only": _read_only,
    "big-endian": lambda array: array.astype(">f8"),
    "float32": lambda array: array.astype(np.float32),
    "float16": lambda array: array.astype(np.float16),
    "extended": lambda array: array.astype(np.longdouble),
    "integer": lambda array: np.rint(array).astype(np.int64),
    "boolean": lambda array: array > 0.0,
    "list": lambda array: array.tolist(),
    "transposed": lambda array: np.ascontiguousarray(array.T).T,
    "subclass": lambda array: np.ma.masked_array(array, mask=array > 0.0),
}
_COARSE = ("float16", "integer", "boolean")
_ORDERS = ("reset", "changed", "prepare twice", "feedback twice", "no prepare")


def _form(name: str) -> Callable[[Random, Given], None]:
    form = _FORMS[name]

    def spoil(rng: Random, given: Given) -> None:  # noqa: ARG001
        given.honest &= name not in _COARSE
        given.reference, given.state, given.sent = (
            form(value) if isinstance(value, np.ndarray) else value
            for value in (given.reference, given.state, given.sent)
        )
        # Half-planes are arrays by their type.
        if given.half_planes is not None and name != "list":
            given.half_planes = HalfPlanes(*map(form, given.half_planes))

    return spoil


def _state_jump(rng: Random, given: Given) -> None:
    given.honest = False
    given.state = given.state + rng.normal(size=given.state.shape) * 10.0 ** rng.uniform(0, 9)


def _reference_jump(rng: Random, given: Given) -> None:
    given.honest = False
    jump = rng.normal(size=given.reference.shape[1]) * 10.0 ** rng.uniform(0, 9)
    given.reference = given.reference + jump


def _ragged_reference(rng: Random, given: Given) -> None:
    given.honest = False
    given.reference = rng.normal(size=given.reference.shape) * 10.0 ** rng.uniform(0, 6)


def _out_of_bounds(rng: Random, given: Given) -> None:
    """Spoil the velocities only: far beyond their soft bounds."""
    given.honest = False
    given.state = given.state.copy()
    given.state[3:] += rng.normal(size=given.state.size - 3) * 10.0 ** rng.uniform(0, 4)


def _sent_out_of_bounds(rng: Random, given: Given) -> None:
    if given.sent is not None:
        given.sent = given.sent + rng.normal(size=given.sent.shape) * 10.0 ** rng.uniform(0, 11)


def _contradiction(rng: Random, given: Given) -> None:
    """Half-planes that leave no place, or nothing but numbers."""
    given.honest = False
    if given.half_planes is None or given.half_planes.offsets.size == 0:
        return
    normals, offsets = given.half_planes
    kind = rng.integers(3)
    if kind == 0:
        normals, offsets = normals.copy(), offsets.copy()
        normals[:, 1::2] = -normals[:, ::2][:, : normals[:, 1::2].shape[1]]
        offsets[:] = np.abs(offsets) + rng.uniform(0.0, 10.0)
    elif kind == 1:
        normals = rng.normal(size=normals.shape) * 10.0 ** rng.uniform(-3, 3)
        offsets = rng.normal(size=offsets.shape) * 10.0 ** rng.uniform(-3, 3)
    else:
        normals = np.zeros_like(normals)
        offsets = np.full_like(offsets, 1.0)
    given.half_planes = HalfPlanes(normals, offsets)


def _unwanted_half_planes(rng: Random, given: Given) -> None:
    given.honest = False
    shape = (rng.integers(1, 4), rng.integers(1, 4))
    given.half_planes = HalfPlanes(rng.normal(size=(*shape, 2)), rng.normal(size=shape))


def _missing(rng: Random, given: Given) -> None:  # noqa: ARG001
    given.sent, given.half_planes = None, None


def _age(rng: Random, given: Given) -> None:
    given.honest = False
    given.age = int(_among(rng, (1, 1e6, 1e8, 5e8, 1.9e9, 3e9, 1e12, 4e18)))


def _order(name: str) -> Callable[[Random, Given], None]:
    def spoil(rng: Random, given: Given) -> None:  # noqa: ARG001
        given.then = name

    return spoil


SPOILERS: dict[str, Callable[[Random, Given], None]] = {
    "NaN": _not_a_number,
    "infinite": _infinite,
    "huge": _huge,
    "large": _large,
    "tiny": _tiny,
    "wrong shape": _wrong_shape,
    "text": _text,
    "state jumps": _state_jump,
    "reference jumps": _reference_jump,
    "ragged reference": _ragged_reference,
    "state out of bounds": _out_of_bounds,
    "input sent out of bounds": _sent_out_of_bounds,
    "contradictory half-planes": _contradiction,
    "unwanted half-planes": _unwanted_half_planes,
    "nothing sent, no half-planes": _missing,
    "old or early state": _age,
    **{name: _form(name) for name in _FORMS},
    **{name: _order(name) for name in _ORDERS},
}
"""What may be wrong with a tick, by name."""
FORMS = tuple(_FORMS)
CONTENTS = tuple(name for name in SPOILERS if name not in _FORMS)


def spoilt_ticks(seed: int) -> Iterator[tuple[str, ...]]:
    """Return the spoilers of each tick without end: good ticks, then one or more bad ones."""
    rng = np.random.default_rng(seed)
    while True:
        good = rng.integers(1, 60)
        bad = rng.choice([1, 2, 3, 4, 8], p=(0.6, 0.2, 0.1, 0.05, 0.05))
        for k in range(good + bad):
            names = [CONTENTS[rng.integers(len(CONTENTS))]] if k >= good else []
            if rng.random() < _FORMED:
                names.append(FORMS[rng.integers(len(FORMS))])
            yield tuple(names)


def neat(given: Given) -> Given:
    """Return what is given as arrays of the usual kind, where it can be; sent and planes too."""
    planes = given.half_planes
    return replace(
        given,
        reference=_tidy(given.reference),
        state=_tidy(given.state),
        sent=_tidy(given.sent),
        half_planes=None if planes is None else HalfPlanes(*map(_tidy, planes)),
    )


def _tidy(value: Any) -> Any:
    if value is None:
        return None
    try:
        return np.array(value, dtype=np.float64, order="C")
    except ValueError:
        return value
