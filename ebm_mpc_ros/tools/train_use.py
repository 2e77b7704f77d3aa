"""What the nodes' parameters must be for a transition that was learned."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ebm_mpc_ros.ros.robot_model import LEARNED, MODEL_CHECKPOINT, WHEELBASE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ebm_mpc_ros.learning.contract import Contract


class _Step(NamedTuple):
    """A node's dt: what it takes at most, what it has by default, and what it needs, if it can."""

    most: float
    default: float
    needed: float | None


def node_parameters(contract: Contract, path: Path) -> dict[str, Any]:
    """Return the content of a parameter file by which the nodes, else as they are, run on it."""
    # A file names no class to import: the parameter does.
    model = contract.model if ":" in contract.model else LEARNED
    robot: dict[str, Any] = {"model": model, MODEL_CHECKPOINT.name: str(path.absolute())}
    options: Mapping[str, float] = contract.details.get("options", {})
    if WHEELBASE.name in options:
        robot[WHEELBASE.name] = options[WHEELBASE.name]
    given = {"ekf_node": robot | {"use_control": True}}
    for node, step in _steps(contract.dt):
        if step.needed is not None:
            given[node] = robot | {"dt": step.needed}
    return {f"/**/{node}": {"ros__parameters": values} for node, values in given.items()}


def step_warnings(dt: float) -> list[str]:
    """Return what to know, before a transition is learned, of the nodes that are to run on it."""
    found = []
    for node, (most, default, needed) in _steps(dt):
        if needed is None:
            found.append(f"{node} can't run on it: its dt is at most {most:g} s, not {dt:g}")
        elif needed != default:
            found.append(
                f"{node} must have dt {needed:g} to run on it: its default, {default:g} s, is no "
                f"whole multiple of {dt:g}"
            )
    return found


def _steps(dt: float) -> Iterator[tuple[str, _Step]]:
    """Yield each node that has a dt, with the multiple of `dt` that is next to its default."""
    from ebm_mpc_ros.ros.mpc_parameters import MPC_PARAMETERS  # noqa: PLC0415
    from ebm_mpc_ros.ros.policy_parameters import POLICY_PARAMETERS  # noqa: PLC0415

    for node, table in (("mpc_node", MPC_PARAMETERS), ("policy_node", POLICY_PARAMETERS)):
        row = next(row for row in table if row.name == "dt")
        default, most = cast("float", row.default), cast("float", row.maximum)
        near = round(max(1, round(default / dt)) * dt, 9)
        if math.isclose(near, default, rel_tol=1e-7):
            near = default
        yield node, _Step(most, default, near if near <= most else None)
