"""policy_node's parameters. No torch here."""

from __future__ import annotations

from ebm_mpc_ros.ros.parameters import Parameter
from ebm_mpc_ros.ros.robot_parameters import HEAVIEST, LIGHTEST, ROBOT_PARAMETERS


def _count(name: str, default: int, least: int, most: int, description: str) -> Parameter:
    return Parameter(
        name=name, kind="int", default=default, minimum=least, maximum=most, description=description
    )


def _number(
    name: str,
    default: float,
    unit: str,
    description: str,
    *,
    least: float = 0.001,
    most: float,
    live: bool = False,
) -> Parameter:
    return Parameter(
        name=name,
        kind="float",
        default=default,
        minimum=least,
        maximum=most,
        unit=unit,
        description=description,
        live=live,
    )


POLICY_PARAMETERS = (
    *ROBOT_PARAMETERS,
    Parameter(
        name="checkpoint",
        kind="str",
        default="",
        description=(
            "The policy's: what train made, a path or package://NAME/PATH; empty for the tracking "
            "cost alone."
        ),
    ),
    _number("frequency", 20.0, "Hz", "Rate of plans.", least=0.1, most=200.0),
    _number("dt", 0.1, "s", "Step of a plan.", most=1.0),
    _count("horizon", 20, 2, 500, "Steps of a plan."),
    _count("chains", 64, 4, 65_536, "Langevin chains, all in parallel."),
    _count("steps", 6, 1, 1000, "Langevin steps of a call on the tracking cost."),
    _number(
        "temperature",
        0.1,
        "",
        "T of p(U) = exp(-J(U)/T)/Z, J the tracking cost; no part of a checkpoint's energy.",
        least=LIGHTEST,
        most=HEAVIEST,
    ),
    Parameter(
        name="risk_seeking_noise",
        kind="floats",
        default=[],
        minimum=0.0,
        maximum=HEAVIEST,
        unit="1/s",
        description=(
            "Diagonal of Q_w per second, to sample states and inputs at once: risk-seeking, for it "
            "counts on noise that helps; empty to roll inputs through the dynamics."
        ),
    ),
    Parameter(
        name="sampler",
        kind="str",
        default="ula",
        choices=("ula", "mala"),
        description="How a checkpoint's energy is sampled; the tracking cost always is by mala.",
    ),
    _count("levels", 8, 2, 100, "Noise levels of a checkpoint's energy that a call descends."),
    _count("level_steps", 2, 1, 1000, "Langevin steps at each of them."),
    _number(
        "fresh_share",
        0.25,
        "",
        "Share of a checkpoint's chains that a call draws anew; the others go on.",
        least=0.0,
        most=1.0,
    ),
    _number(
        "goal_weight",
        0.0,
        "1/m^2",
        "Added to a checkpoint's energy as it is: of a chunk's end from the goal, squared.",
        least=0.0,
        most=HEAVIEST,
        live=True,
    ),
    _number(
        "smoothness",
        0.01,
        "",
        "Added to a checkpoint's energy as it is: weight of the inputs.",
        least=LIGHTEST,
        most=HEAVIEST,
        live=True,
    ),
    _number(
        "switch_margin",
        0.5,
        "",
        "Energy by which another mode must beat the present plan.",
        least=LIGHTEST,
        most=HEAVIEST,
    ),
    _number("robot_radius", 0.2, "m", "Radius of the robot's circle.", most=100.0, live=True),
    _number(
        "obstacle_margin",
        0.15,
        "m",
        "Clearance below which an obstacle costs.",
        most=100.0,
        live=True,
    ),
    _number(
        "obstacle_weight",
        1500.0,
        "1/m^2",
        "Weight of a clearance below the margin, in J and as it is with a checkpoint's energy.",
        least=LIGHTEST,
        most=HEAVIEST,
        live=True,
    ),
    _number(
        "time_limit", 0.045, "s", "Time after which a call returns the best plan so far.", most=10.0
    ),
    _count("seed", 0, 0, 2**63 - 1, "Seed of all noise."),
    _count("samples_shown", 12, 0, 1000, "Chains in policy/samples; 0 for none."),
    _number("plan_max_age", 0.3, "s", "A plan made from an older state is not driven.", most=1.0),
    Parameter(
        name="device",
        kind="str",
        default="auto",
        description="auto (CUDA where there is a GPU), cpu, cuda or cuda:N.",
    ),
    Parameter(
        name="send_commands",
        kind="bool",
        default=False,
        description="Drive cmd_vel from the plan, without mpc_node.",
    ),
    _number("command_period", 0.05, "s", "Period of cmd_vel where commands are sent.", most=0.1),
)
