"""Settings and bags to a task: the rows to learn from, the network and its contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.learning.bags import location
from ebm_mpc_ros.learning.conditions import Sight
from ebm_mpc_ros.learning.recording import DataError
from ebm_mpc_ros.learning.resampling import Grid
from ebm_mpc_ros.models import ModelError, load_model
from ebm_mpc_ros.ros.parameters import read, shown
from ebm_mpc_ros.ros.robot_model import WHEELBASE
from ebm_mpc_ros.ros.robot_parameters import ROBOT_PARAMETERS, follower_settings
from ebm_mpc_ros.tools.console import progress
from ebm_mpc_ros.tools.train_bags import read_recording

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ebm_mpc_ros.control import FollowerSettings
    from ebm_mpc_ros.learning.recording import Recording
    from ebm_mpc_ros.learning.tasks import Task
    from ebm_mpc_ros.models import Model


def load_robot(values: Mapping[str, Any], config: Path) -> Model:
    """Return the model of the settings.

    Raises:
        UserError: There is none, it has no inputs, or a setting has not one number for each noise.
    """
    try:
        model = load_model(values["model"], values)
    except ModelError as error:
        raise UserError(f"--config {config}: {error}") from error
    if not model.input_names:
        raise UserError(f"--config {config}: the model has no inputs to learn")
    noise, names = values.get("process_noise"), model.noise_names
    if noise and len(noise) != len(names):
        raise UserError(
            f"--config {config}: setting process_noise = {shown(noise)}: must be {len(names)} "
            f"numbers, of {', '.join(names)}, or none"
        )
    return model


def read_bags(
    bags: Sequence[Path], model: Model, values: Mapping[str, Any], config: Path, *, shown: bool
) -> list[Recording]:
    """Return the drives of one robot that bags tell of.

    Raises:
        UserError: A bag can't be used, is given twice, or is another robot's.
    """
    recordings: list[Recording] = []
    with progress("reading", "bags", len(bags), shown=shown) as advance_to:
        for number, bag in enumerate(bags):
            if location(bag) in map(location, bags[:number]):
                raise UserError(f"--bag {bag}: given twice")

            def share(part: float, number: int = number) -> None:
                advance_to(number + part)

            recordings.append(read_recording(bag, model, values, config, share))
            _check_same_robot(recordings[0], recordings[-1])
            share(1.0)
    return recordings


def make_task(
    model: Model, recordings: Sequence[Recording], values: Mapping[str, Any], config: Path
) -> Task:
    """Return what is to be trained, with weights that depend on the seed alone.

    Raises:
        UserError: The drives can't be learned from as the settings ask for it.
    """
    import torch  # noqa: PLC0415  torch takes seconds, and mistakes in the settings none

    from ebm_mpc_ros.energy.device import choose_device  # noqa: PLC0415
    from ebm_mpc_ros.learning.tasks import (  # noqa: PLC0415
        Robot,
        policy_task,
        transition_task,
    )

    robot = Robot(name=values["model"], model=model)
    grid = Grid(dt=values["dt"], longest_gap=values["longest_gap"])
    torch.manual_seed(values["training.seed"])
    try:
        device = choose_device(values["device"])
        if values["kind"] == "transition":
            task = transition_task(
                robot,
                recordings,
                grid,
                held_out=values["held_out"],
                density=tuple(values["process_noise"]),
                floor=values["noise_floor"],
                smoothing=values["smoothing"],
                sizes={"hidden": values["network.hidden"]},
                form=values["network.form"],
            )
        else:
            task = policy_task(
                robot,
                recordings,
                grid,
                held_out=values["held_out"],
                sight=Sight(
                    look_ahead=values["look_ahead"],
                    nearest=values["nearest"],
                    obstacle_range=values["obstacle_range"],
                ),
                horizon=values["horizon"],
                sizes={name: values[f"network.{name}"] for name in ("wells", "hidden", "weights")},
                sigmas=(values["network.sigma_min"], values["network.sigma_max"]),
                following=_following(values, model),
            )
    except ValueError as error:
        raise UserError(f"--config {config}: {error}") from error
    task.network.to(device)
    return task


def _following(values: Mapping[str, Any], model: Model) -> FollowerSettings:
    """Return how policy_node follows paths where only the robot is set."""
    robot = {name: values[name] for name in ("model", WHEELBASE.name)}
    return follower_settings(read(ROBOT_PARAMETERS, robot)[0], model)


def _check_same_robot(one: Recording, other: Recording) -> None:
    """Refuse twists that are in different frames; which robot's they are may differ."""
    frames = [recording.base.rpartition("/")[2] for recording in (one, other)]
    if frames[0] != frames[1]:
        raise DataError(
            f"{other.name} is of a robot's {other.base!r}, {one.name} of {one.base!r}: "
            "one training is for one kind of robot"
        )
