"""Which topic of a bag is the estimate, which the truth, and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ebm_mpc_ros.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ebm_mpc_ros.learning.bags import Topic

ODOMETRY = "nav_msgs/msg/Odometry"
_PATH = "nav_msgs/msg/Path"
_MOST_ODOMETRIES = 6


class Role(NamedTuple):
    """What a topic is for: its usual name, and the types that it may have."""

    name: str
    types: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name} ({' or '.join(self.types)})"


ROLES = {
    "estimate": Role("odometry/filtered", (ODOMETRY,)),
    "truth": Role("ground_truth/odom", (ODOMETRY,)),
    "commands": Role("cmd_vel", ("geometry_msgs/msg/TwistStamped", "geometry_msgs/msg/Twist")),
    "plan": Role("plan", (_PATH,)),
    "obstacles": Role("obstacles", ("visualization_msgs/msg/MarkerArray",)),
    "prediction": Role("mpc/prediction", (_PATH,)),
    "policy": Role("policy/plan", ("trajectory_msgs/msg/MultiDOFJointTrajectory",)),
    "diagnostics": Role("/diagnostics", ("diagnostic_msgs/msg/DiagnosticArray",)),
}
"""The topics that a report reads, by what they are for."""


class Roles(NamedTuple):
    """The topics of a bag by role, odometry of other kinds, and roles that none has, with why."""

    topics: dict[str, str]
    odometries: list[str]
    missing: dict[str, str]
    namespace: str


def assign(topics: Mapping[str, Topic], *, namespace: str = "", given: Sequence[str] = ()) -> Roles:
    """Return what the topics of a bag are for.

    Args:
        topics: Those of the bag.
        namespace: The robot's; empty: that of the estimate, of which there must be one.
        given: Of roles whose topics have other names, each ROLE=TOPIC.

    Raises:
        UserError: One of `given` is no role or not in the bag, or there are several robots.
    """
    there = {name: topic for name, topic in topics.items() if topic.messages}
    found = dict(_named(there, entry) for entry in given)
    space = "/" + namespace.strip("/") if namespace.strip("/") else ""
    missing = {}
    for key, role in ROLES.items():
        if key in found:
            continue
        fitting = _fitting(there, role, space, strictly=bool(namespace))
        if len(fitting) == 1:
            found[key] = fitting[0]
            if key == "estimate":
                space = fitting[0].removesuffix(f"/{role.name}")
        elif key == "estimate" and fitting:
            raise UserError(
                f"several topics could be the estimate: {', '.join(fitting)}; "
                "choose with --namespace or --topic estimate=TOPIC"
            )
        elif fitting:
            missing[key] = f"one of {', '.join(fitting)}, chosen with --topic {key}=TOPIC"
        else:
            missing[key] = str(role)
    others = [
        name
        for name, topic in there.items()
        if topic.type == ODOMETRY
        and name not in found.values()
        and (not namespace or name.startswith(f"{space}/"))
    ]
    others.sort(key=lambda name: (-there[name].messages, name))
    return Roles(found, others[:_MOST_ODOMETRIES], missing, space)


def _named(topics: Mapping[str, Topic], entry: str) -> tuple[str, str]:
    key, equals, name = entry.partition("=")
    if not equals or key not in ROLES:
        raise UserError(f"--topic {entry}: must be ROLE=TOPIC, ROLE one of {', '.join(ROLES)}")
    name = name if name.startswith("/") else f"/{name}"
    if name not in topics:
        raise UserError(f"--topic {entry}: not in the bag; it has {', '.join(sorted(topics))}")
    if topics[name].type not in ROLES[key].types:
        kinds = " or ".join(ROLES[key].types)
        raise UserError(f"--topic {entry}: is {topics[name].type}, must be {kinds}")
    return key, name


def _fitting(topics: Mapping[str, Topic], role: Role, space: str, *, strictly: bool) -> list[str]:
    """Return the topic of a role: of the namespace, else of none, else all of such a name."""
    fitting = sorted(name for name, topic in topics.items() if topic.type in role.types)
    if role.name.startswith("/"):
        return [name for name in fitting if name == role.name]
    for name in (
        (f"{space}/{role.name}",) if strictly else (f"{space}/{role.name}", f"/{role.name}")
    ):
        if name in fitting:
            return [name]
    return [] if strictly else [name for name in fitting if name.endswith(f"/{role.name}")]
