"""Draws docs/drive.gif, the moving picture of the README, from the bag of a demo.

    .venv/bin/python -m ebm_mpc_ros demo
    .venv/bin/python docs/moving_picture.py out/demo/bag

The same bag gives the same bytes with the same matplotlib and Pillow, which matplotlib brings.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import numpy as np
from PIL import Image

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Ellipse, Polygon

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ebm_mpc_ros.learning.bags import open_bag  # noqa: E402  the package is found from here on
from ebm_mpc_ros.models import rotation  # noqa: E402
from ebm_mpc_ros.ros.conversion import quaternion, stamp_of  # noqa: E402
from ebm_mpc_ros.simulation.robot import ROBOT_RADIUS  # noqa: E402
from ebm_mpc_ros.tools.report_numbers import ellipses  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_WIDTH, _HEIGHT, _DPI = 800, 470, 100
_ROOM = 0.9  # m, around the course
_COLOURS, _LOOKED_AT = 128, 8
_MAGNIFIED = 3.0
_STALE = 0.5  # s after which what was planned is no longer shown
_TRUTH, _ESTIMATE, _PREDICTION = "black", "tab:blue", "tab:purple"


class Moment(NamedTuple):
    """What a topic said at a stamp (s)."""

    stamp: float
    said: Any


class Recorded(NamedTuple):
    """What of a bag is drawn, by stamp."""

    course: NDArray[np.float64]
    obstacles: list[tuple[float, float, float]]
    truth: NDArray[np.float64]
    """(k, 4): stamp, x, y, unwrapped yaw."""
    estimates: list[Moment]
    samples: list[Moment]
    predictions: list[Moment]
    first: float
    """Stamp of the first command that moves the robot."""


def main() -> int:
    """Draw the frames and write them as a GIF that repeats."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bag", type=Path, help="of a demo: DIR/bag")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "drive.gif", metavar="FILE")
    parser.add_argument("--start", type=float, default=1.0, metavar="S", help="s into the drive")
    parser.add_argument("--seconds", type=float, default=22.0, metavar="S", help="of the drive")
    parser.add_argument("--speed", type=float, default=2.0, metavar="X", help="times real time")
    parser.add_argument("--rate", type=float, default=20.0, metavar="HZ", help="pictures a second")
    arguments = parser.parse_args()
    recorded = read(arguments.bag)
    step = arguments.speed / arguments.rate
    begin = recorded.first + arguments.start
    frames = list(draw(recorded, np.arange(begin, begin + arguments.seconds, step)))
    # One palette for all: where nothing moves, nothing is stored.
    palette = _stacked(frames[:: max(1, len(frames) // _LOOKED_AT)]).quantize(_COLOURS)
    plain = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    first, *others = plain
    first.save(
        arguments.out,
        save_all=True,
        append_images=others,
        duration=round(1000.0 / arguments.rate),
        loop=0,
        optimize=False,
    )
    size = arguments.out.stat().st_size / 1e6
    seconds = len(frames) / arguments.rate
    print(f"{arguments.out}: {len(frames)} pictures, {seconds:.1f} s, {size:.2f} MB")
    return 0


def read(path: Path) -> Recorded:
    """Return what is drawn of a demo's bag."""
    with open_bag(path) as bag:

        def told(topic: str) -> Iterator[Any]:
            found = bag.messages([topic]) if topic in bag.topics else ()
            return (message for _, _, message in found)

        plan = next(told("/plan"))
        obstacles = next(told("/obstacles"), None)
        truth = np.array([(_stamp(m), *_pose(m.pose.pose)) for m in told("/ground_truth/odom")])
        truth[:, 3] = np.unwrap(truth[:, 3])
        moves = (m for m in told("/cmd_vel") if m.twist.linear.x or m.twist.angular.z)
        return Recorded(
            course=np.array([_pose(pose.pose)[:2] for pose in plan.poses]),
            obstacles=[
                (m.pose.position.x, m.pose.position.y, 0.5 * m.scale.x)
                for m in (obstacles.markers if obstacles else ())
            ],
            truth=truth,
            estimates=[
                Moment(_stamp(m), (_pose(m.pose.pose), m.pose.covariance.reshape(6, 6)[:2, :2]))
                for m in told("/odometry/filtered")
            ],
            samples=[
                Moment(_stamp(m.markers[0]), [_line(marker) for marker in m.markers])
                for m in told("/policy/samples")
                if m.markers
            ],
            predictions=[
                Moment(_stamp(m), np.array([_pose(pose.pose)[:2] for pose in m.poses]))
                for m in told("/mpc/prediction")
            ],
            first=_stamp(next(moves)),
        )


def draw(recorded: Recorded, times: NDArray[np.float64]) -> Iterator[Image.Image]:
    """Yield a picture for each stamp."""
    figure, axes = plt.subplots(figsize=(_WIDTH / _DPI, _HEIGHT / _DPI), dpi=_DPI)
    figure.subplots_adjust(0.0, 0.0, 1.0, 1.0)
    _draw_still(axes, recorded)
    samples = LineCollection([], linewidths=1.6, zorder=3)
    axes.add_collection(samples)
    (prediction,) = axes.plot([], [], color=_PREDICTION, lw=3.0, zorder=4, label="MPC's prediction")
    (trail,) = axes.plot([], [], color=_TRUTH, lw=1.2, zorder=2, label="where the robot really was")
    body = Polygon(np.zeros((3, 2)), color=_TRUTH, zorder=6)
    ellipse = Ellipse(
        (0.0, 0.0), 0.0, 0.0, fc=(0.12, 0.47, 0.71, 0.35), ec=_ESTIMATE, lw=1.5, zorder=7
    )
    ellipse.set_label(f"estimate, 95 % ellipse × {_MAGNIFIED:.0f}")
    axes.add_patch(body)
    axes.add_patch(ellipse)
    _draw_legend(axes, trail, ellipse, prediction)
    for time in times:
        lines = _latest(recorded.samples, time) or []
        samples.set_segments([points for points, _ in lines])
        samples.set_color([colour for _, colour in lines])
        ahead = _latest(recorded.predictions, time)
        prediction.set_data(*(ahead.T if ahead is not None else ((), ())))
        past = recorded.truth[(recorded.truth[:, 0] <= time) & (recorded.truth[:, 0] >= times[0])]
        trail.set_data(past[:, 1], past[:, 2])
        x, y, yaw = (
            np.interp(time, recorded.truth[:, 0], column) for column in recorded.truth.T[1:]
        )
        body.set_xy(_arrow(x, y, yaw))
        estimate = _latest(recorded.estimates, time)
        if estimate is not None:
            _place(ellipse, *estimate)
        figure.canvas.draw()
        buffer = figure.canvas.buffer_rgba()  # type: ignore[attr-defined]  # Agg's
        yield Image.fromarray(np.asarray(buffer)[..., :3].copy())
    plt.close(figure)


def _draw_still(axes: Axes, recorded: Recorded) -> None:
    axes.plot(*recorded.course.T, color="0.85", lw=9, solid_capstyle="round", zorder=1)
    for x, y, radius in recorded.obstacles:
        axes.add_patch(Circle((x, y), radius, color="tab:red", zorder=5))
    middle = 0.5 * (recorded.course.min(axis=0) + recorded.course.max(axis=0))
    width = np.ptp(recorded.course[:, 0]) + 2.0 * _ROOM
    height = width * _HEIGHT / _WIDTH
    # The legend stands below.
    axes.set(xlim=middle[0] + np.array((-0.5, 0.5)) * width, aspect="equal")
    axes.set_ylim(middle[1] - 0.56 * height, middle[1] + 0.44 * height)
    axes.axis("off")


def _draw_legend(axes: Axes, trail: Line2D, ellipse: Ellipse, prediction: Line2D) -> None:
    ends = [
        Line2D(
            [], [], color=_dark(share, 1.0 - share), lw=1.6, label=f"sampled plan, {word} energy"
        )
        for share, word in ((0.0, "low"), (1.0, "high"))
    ]
    axes.legend(
        handles=[trail, ellipse, *ends, prediction],
        loc="lower center",
        ncols=3,
        fontsize=10,
        frameon=False,
    )


def _place(ellipse: Ellipse, pose: tuple[float, ...], covariance: NDArray[np.float64]) -> None:
    """Show the magnified 95 % ellipse of an estimated place."""
    (long,), (short,), (angle,) = ellipses(covariance[None])
    across = 2.0 * _MAGNIFIED
    ellipse.set(center=pose[:2], width=across * long, height=across * short)
    ellipse.set_angle(np.degrees(angle))


def _stacked(frames: list[Image.Image]) -> Image.Image:
    return Image.fromarray(np.vstack([np.asarray(frame) for frame in frames]))


def _latest(moments: list[Moment], time: float) -> Any:
    """Return what was said last before `time`, None where that is long ago."""
    before = [moment for moment in moments if time - _STALE < moment.stamp <= time]
    return before[-1].said if before else None


def _arrow(x: float, y: float, yaw: float) -> NDArray[np.float64]:
    """Return an arrowhead as large as the robot, (3, 2)."""
    turns = yaw + np.array((0.0, 2.5, -2.5))
    return np.array((x, y)) + ROBOT_RADIUS * np.column_stack((np.cos(turns), np.sin(turns)))


def _line(marker: Any) -> tuple[NDArray[np.float64], tuple[float, float, float]]:
    """Return a sampled plan's points and its colour, darker than RViz's: the ground is white."""
    points = np.array([(point.x, point.y) for point in marker.points])
    return points, _dark(marker.color.r, marker.color.g)


def _dark(red: float, green: float) -> tuple[float, float, float]:
    return 0.85 * red, 0.65 * green, 0.1


def _pose(pose: Any) -> tuple[float, float, float]:
    yaw = float(rotation.heading(quaternion(pose.orientation)))
    return pose.position.x, pose.position.y, yaw


def _stamp(message: Any) -> float:
    return stamp_of(message) * 1e-9


if __name__ == "__main__":
    sys.exit(main())
