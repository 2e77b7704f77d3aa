"""What of a bag an estimator reads: the offline replay and the live one choose alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.learning.bags import Bag, open_bag
from ebm_mpc_ros.ros.estimator import Estimator
from ebm_mpc_ros.ros.estimator_parameters import input_kind
from ebm_mpc_ros.ros.inputs import INPUT_TYPES
from ebm_mpc_ros.ros.parameter_file import load_layers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

COMMANDS = "cmd_vel"
"""Topic of the commands that the estimator predicts with."""
STATIC_TRANSFORMS = "/tf_static"
"""Topic of the mountings of sensors."""
_OUTPUT = "odometry/filtered"
_STAMPED, _UNSTAMPED = "geometry_msgs/msg/TwistStamped", "geometry_msgs/msg/Twist"


def bag_topic(bag: Bag, topic: str, namespace: str = "") -> str:
    """Return a bag's name for a node's topic: within the node's namespace if that is there."""
    if topic.startswith("/"):
        return topic
    inside = f"{namespace}/{topic}"
    return inside if inside in bag.topics else f"/{topic}"


def topics_read(estimator: Estimator, bag: Bag, namespace: str = "") -> dict[str, str]:
    """Return the bag's topics that an estimator reads, by its own names for them.

    These are its inputs' and, where the bag has them, `COMMANDS` and `STATIC_TRANSFORMS`.

    Args:
        estimator: The estimator.
        bag: The bag to be replayed.
        namespace: The estimator's, such as /robot1; empty for none.
    """
    found = {topic: bag_topic(bag, topic, namespace) for topic in estimator.topics.values()}
    commands = bag_topic(bag, COMMANDS, namespace)
    if estimator.values["use_control"] and commands in bag.topics:
        found[COMMANDS] = commands
    static = bag_topic(bag, STATIC_TRANSFORMS.lstrip("/"), namespace)
    if static in bag.topics:
        found[STATIC_TRANSFORMS] = static
    return found


def check_types(
    estimator: Estimator,
    bag: Bag,
    topics: Mapping[str, str],
    command_types: Sequence[str] = (_STAMPED, _UNSTAMPED),
) -> None:
    """Check the types of the `topics` that `topics_read` has found.

    Raises:
        UserError: An input's topic is not in the bag, or one is of another type.
    """
    wanted: list[tuple[str, Sequence[str]]] = [
        (topics[topic], (INPUT_TYPES[input_kind(name)],))
        for name, topic in estimator.topics.items()
    ]
    if COMMANDS in topics:
        wanted.append((topics[COMMANDS], command_types))
    for topic, types in wanted:
        found = bag.topic(topic).type
        if found not in types:
            raise UserError(f"{topic} is {found} in the bag: must be {' or '.join(types)}")


def topics_read_live(bag: Path, params_files: Sequence[Path], namespace: str) -> dict[str, str]:
    """Return what `topics_read` does for the estimator that ekf_node makes of parameter files.

    Args:
        bag: The bag to be played.
        params_files: The node's; the last one wins.
        namespace: The node's, such as /robot1; empty for none.

    Raises:
        UserError: A parameter is not allowed; an input is what the node itself publishes, or not
            in the bag; or a topic is not of the type that the node listens to.
    """
    given = load_layers(params_files, f"{namespace}/ekf_node")
    estimator, _ = Estimator.from_parameters(given)
    for name, topic in estimator.topics.items():
        if topic in (_OUTPUT, f"{namespace}/{_OUTPUT}"):
            raise UserError(f"{name}: {topic} is what ekf_node itself publishes")
    with open_bag(bag) as opened:
        topics = topics_read(estimator, opened, namespace)
        commands = _STAMPED if estimator.stamped_commands else _UNSTAMPED
        check_types(estimator, opened, topics, (commands,))
    return topics
