"""The N-D particle task of Implicit Behavioral Cloning (Florence et al., CoRL 2021, section 4).

A particle is drawn to a set-point u; it has to pass a first goal and come to rest at a second. All
episodes run at once; arrays are (episodes, N).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

STEPS = 50
FEATURES = 6
_SUB_STEPS, _DT = 10, 0.005
_STIFFNESS, _DAMPING = 10.0, 5.0
_PASSED, _REACHED = 0.01, 0.05


class Episodes(NamedTuple):
    """Where episodes begin and where they have to go: x₀, g₁ and g₂, each (episodes, N)."""

    start: Array
    first: Array
    second: Array


class Recording(NamedTuple):
    """What was seen (episodes, 50, 6, N), what was done (episodes, 50, N), and who succeeded."""

    observations: Array
    actions: Array
    success: NDArray[np.bool_]


def draw(seeds: range, episodes: int, size: int) -> Episodes:
    """Return that many episodes of each environment seed, uniform in the unit cube."""
    places = [np.random.default_rng(seed).uniform(size=(3, episodes, size)) for seed in seeds]
    return Episodes(*np.concatenate(places, axis=1))


def run(episodes: Episodes, chunk_policy: Callable[[Array], Array]) -> Recording:
    """Drive all episodes by a policy that is asked anew when its last chunk has run out.

    Args:
        episodes: Where they begin and have to go.
        chunk_policy: From what is seen (episodes, 6, N), the rows being x and v of the last
            control step, x and v now, g₁ and g₂, to the next set-points (episodes, T, N).
    """
    x, first, second = episodes
    v = np.zeros_like(x)
    last = x, v
    nearest = [np.full(len(x), np.inf), np.full(len(x), np.inf)]
    chunk: list[Array] = []
    seen, done = [], []
    for _ in range(STEPS):
        seen.append(np.stack([*last, x, v, first, second], axis=1))
        if not chunk:
            chunk = list(np.moveaxis(chunk_policy(seen[-1]), 1, 0))
        u = np.clip(chunk.pop(0), 0.0, 1.0)
        done.append(u)
        last = x, v
        x, v = _step(x, v, u)
        for goal, distance in zip((first, second), nearest, strict=True):
            np.minimum(distance, _norm(x - goal), out=distance)
    near = (np.array(nearest) < _REACHED).all(axis=0)
    success = near & (_norm(x - second) < _REACHED)
    return Recording(np.stack(seen, axis=1), np.stack(done, axis=1), success)


@dataclass
class Oracle:
    """u = g₁ until ‖x - g₁‖ < 0.01 once, then g₂; a chunk of one."""

    passed: NDArray[np.bool_] | bool = False

    def __call__(self, seen: Array) -> Array:
        """Return the next set-point (episodes, 1, N)."""
        x, first, second = seen[:, 2], seen[:, 4], seen[:, 5]
        self.passed |= _norm(x - first) < _PASSED
        return np.where(self.passed[:, None], second, first)[:, None]


def chunks(actions: Array, length: int) -> Array:
    """Return the next T actions from each step on (episodes, 50, T, N), the last one held."""
    index = np.minimum(np.arange(STEPS)[:, None] + np.arange(length), STEPS - 1)
    return actions[:, index]


def _step(x: Array, v: Array, u: Array) -> tuple[Array, Array]:
    for _ in range(_SUB_STEPS):
        a = _STIFFNESS * (u - x) - _DAMPING * v
        x, v = x + v * _DT, v + a * _DT
    return x, v


def _norm(offset: Array) -> Array:
    squares: Array = np.einsum("en,en->e", offset, offset)
    return np.sqrt(squares)
