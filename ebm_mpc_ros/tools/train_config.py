"""The YAML file that says what to train, on what, and how."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.ros.parameters import Parameter, ParameterError, read
from ebm_mpc_ros.ros.robot_model import WHEELBASE

if TYPE_CHECKING:
    from pathlib import Path

_EXPONENT = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+")

_BOTH = (
    Parameter(
        name="kind",
        kind="str",
        default="policy",
        choices=("policy", "transition"),
        description="What is learned: which inputs to drive, or what the model gets wrong.",
    ),
    Parameter(name="model", kind="str", default="diff_drive", description="The robot's model."),
    WHEELBASE,
    Parameter(
        name="dt", kind="float", default=0.1, above=0.0, maximum=10.0, unit="s", description="Step."
    ),
    Parameter(
        name="states",
        kind="str",
        default="/ground_truth/odom",
        description="Topic of the states, an Odometry; or `estimate`, our estimator's.",
    ),
    Parameter(
        name="estimator",
        kind="str",
        default="",
        description="Parameter file of ekf_node, beside this one, for `states: estimate`.",
    ),
    Parameter(
        name="inputs",
        kind="str",
        default="/cmd_vel",
        description="Topic of commands, Twist or TwistStamped, or of measured twists, Odometry.",
    ),
    Parameter(
        name="longest_gap",
        kind="float",
        default=0.25,
        above=0.0,
        maximum=10.0,
        unit="s",
        description="Nothing is learned across a longer silence.",
    ),
    Parameter(
        name="bad_samples",
        kind="str",
        default="refuse",
        choices=("refuse", "drop"),
        description="What to do where a sample is not finite.",
    ),
    Parameter(
        name="held_out",
        kind="float",
        default=0.1,
        above=0.0,
        maximum=0.9,
        description="Share of each bag's time, its last, that judges the training.",
    ),
    Parameter(
        name="save_every",
        kind="float",
        default=60.0,
        minimum=0.0,
        unit="s",
        description="How often to save a state that `--resume` goes on from.",
    ),
    Parameter(
        name="device",
        kind="str",
        default="cpu",
        description="Where torch computes; auto is CUDA where there is a GPU.",
    ),
    Parameter(
        name="network.hidden",
        kind="int",
        default=128,
        minimum=1,
        maximum=8192,
        description="Units of each hidden layer.",
    ),
    Parameter(
        name="training.steps", kind="int", default=10_000, minimum=1, description="Steps at most."
    ),
    Parameter(
        name="training.batch_size",
        kind="int",
        default=128,
        minimum=1,
        description="Rows a step, of all processes together.",
    ),
    Parameter(
        name="training.learning_rate",
        kind="float",
        default=3e-3,
        above=0.0,
        description="The highest of its schedule.",
    ),
    Parameter(
        name="training.warm_up",
        kind="int",
        default=200,
        minimum=0,
        description="Steps in which the learning rate rises.",
    ),
    Parameter(
        name="training.averaging",
        kind="float",
        default=0.999,
        minimum=0.0,
        maximum=0.999999,
        description="Decay of the weights' exponential average.",
    ),
    Parameter(
        name="training.check_every",
        kind="int",
        default=500,
        minimum=1,
        description="Steps between looks at the held-out loss.",
    ),
    Parameter(
        name="training.patience",
        kind="int",
        default=10,
        minimum=1,
        description="Looks without a lower held-out loss after which the training stops.",
    ),
    Parameter(
        name="training.seed",
        kind="int",
        default=0,
        minimum=0,
        maximum=2**31,
        description="Of weights, shuffling and noise.",
    ),
)

_POLICY = (
    Parameter(
        name="horizon",
        kind="int",
        default=8,
        minimum=1,
        maximum=1000,
        description="Steps of a chunk of inputs.",
    ),
    Parameter(
        name="goal",
        kind="str",
        default="/plan",
        description="Topic of a Path or PoseStamped; or `driven`: where the robot then drove.",
    ),
    Parameter(
        name="look_ahead",
        kind="float",
        default=2.0,
        above=0.0,
        unit="m",
        description="How far ahead on the path the goal lies.",
    ),
    Parameter(
        name="obstacles",
        kind="str",
        default="/obstacles",
        description="Topic of a MarkerArray of cylinders; not read where nearest is 0.",
    ),
    Parameter(
        name="nearest",
        kind="int",
        default=1,
        minimum=0,
        maximum=100,
        description="Number of obstacles that the policy sees.",
    ),
    Parameter(
        name="obstacle_range",
        kind="float",
        default=3.0,
        above=0.0,
        unit="m",
        description="Clearance from which on an obstacle is not seen.",
    ),
    Parameter(
        name="network.wells",
        kind="int",
        default=16,
        minimum=1,
        maximum=4096,
        description="Wells of the energy: how many different chunks it can hold at once.",
    ),
    Parameter(
        name="network.weights",
        kind="int",
        default=8,
        minimum=3,
        maximum=64,
        description="Numbers that make each well's weight a function of the noise.",
    ),
    Parameter(
        name="network.sigma_min",
        kind="float",
        default=0.05,
        above=0.0,
        description="Least noise trained, in deviations of the inputs.",
    ),
    Parameter(
        name="network.sigma_max",
        kind="float",
        default=6.0,
        above=0.0,
        description="Largest noise trained.",
    ),
)

_TRANSITION = (
    Parameter(
        name="process_noise",
        kind="floats",
        default=[],
        minimum=0.0,
        maximum=1e3,
        description="Diagonal of Q_w, variance per second; empty for that of the residuals.",
    ),
    Parameter(
        name="noise_floor",
        kind="float",
        default=1e-8,
        above=0.0,
        maximum=1.0,
        description="Variance added to each of it over a step.",
    ),
    Parameter(
        name="smoothing",
        kind="float",
        default=0.1,
        minimum=0.0,
        maximum=10.0,
        description="Noise added to the residuals learned, in deviations of that noise.",
    ),
    Parameter(
        name="network.form",
        kind="str",
        default="gaussian",
        choices=("gaussian", "mlp"),
        description="One mode whose place and width are learned, or any energy: needs more data.",
    ),
)

SETTINGS = (*_BOTH, *_POLICY, *_TRANSITION)
"""Every setting there is."""


def load_config(path: Path) -> dict[str, Any]:
    """Return the value of every setting; nested ones have dotted names.

    Raises:
        UserError: The file can't be read, or a setting is unknown or has a value not allowed.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--config {path}: {error.strerror or error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"--config {path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, Mapping):
        raise UserError(f"--config {path}: must map settings to values")
    given = dict(_flat("", content))
    table = (*_BOTH, *(_TRANSITION if given.get("kind") == "transition" else _POLICY))
    try:
        values, unknown = read(table, given)
    except ParameterError as error:
        said = str(error).replace("parameter", "setting", 1)
        raise UserError(f"--config {path}: {said}") from error
    if unknown:
        raise UserError(f"--config {path}: {_unknown(unknown[0], values['kind'], table)}")
    low, high = values.get("network.sigma_min", 0.0), values.get("network.sigma_max", 1.0)
    if not low < high:
        raise UserError(
            f"--config {path}: setting network.sigma_min = {low:g}: must be below "
            f"network.sigma_max, which is {high:g}"
        )
    return values


def group(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the settings of a group, such as training, without its name."""
    start = f"{name}."
    return {k.removeprefix(start): v for k, v in values.items() if k.startswith(start)}


def _unknown(name: str, kind: str, table: Sequence[Parameter]) -> str:
    """Return what to say of a setting that there is none of for a kind of training."""
    said = f"no setting {name} for kind: {kind}"
    known = [row.name for row in table]
    group = [row.rpartition(".")[2] for row in known if row.startswith(f"{name}.")]
    if group:
        return f"{name} is a group of settings: {', '.join(group)}"
    # Somebody who leaves out the group means the setting in it.
    inside = [row for row in known if row.rpartition(".")[2] == name]
    close = inside or difflib.get_close_matches(name, known, n=1)
    return f"{said}; is it {close[0]}?" if close else f"{said}; docs/training.md has them all"


def _flat(prefix: str, values: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", _number(value)


def _number(value: Any) -> Any:
    """Return a value with what YAML 1.1 takes for text, 1e-8, as the number that it is."""
    if isinstance(value, list):
        return [_number(item) for item in value]
    return float(value) if isinstance(value, str) and _EXPONENT.fullmatch(value) else value
