"""Demonstrations without ROS: our controller drives the simulated robot past obstacles to a bag."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.learning.bags import BagWriter
from ebm_mpc_ros.simulation.passing import draw_passing
from ebm_mpc_ros.tools.closed_loop import ClosedLoop, push
from ebm_mpc_ros.tools.console import console, progress
from ebm_mpc_ros.tools.demonstrate_bag import EpisodeRecorder
from ebm_mpc_ros.tools.demonstrator import LIMITS, MODEL, PERIOD, SPEED, Demonstrator
from ebm_mpc_ros.tools.replay_output import make_folder
from ebm_mpc_ros.tools.train_process import terminable

if TYPE_CHECKING:
    import argparse

    from numpy.random import Generator

_TOO_CLOSE = 0.05
_LONGEST, _STANDING, _PAUSE = 25.0, 2.2, 1.0
_DRAWS = 10
# s from push to push.
_BETWEEN = 2.5, 8.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the tool's arguments."""
    parser.add_argument(
        "--episodes", type=int, default=200, metavar="N", help="how many (default 200)"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="bag folder to make (MCAP)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is drawn")


def run(arguments: argparse.Namespace) -> int:
    """Record; print where the bag is."""
    episodes, out = arguments.episodes, arguments.out
    for name, least in (("episodes", 1), ("seed", 0)):
        if getattr(arguments, name) < least:
            raise UserError(f"--{name} is {getattr(arguments, name)}, must be {least} or more")
    if out.exists():
        raise UserError(f"--out {out}: exists already")
    make_folder(out.parent)
    try:
        with terminable():
            left, again = _record(episodes, out, np.random.default_rng(arguments.seed))
    except OSError as error:
        raise UserError(f"--out {out}: {error.strerror or error}") from error
    told = f"{episodes} episodes, {left} past the obstacle on its left"
    console.print(f"{told}; {again} that came too close to it drawn again" if again else told)
    print(f"bag: {out}")
    return 0


def _record(episodes: int, out: Path, rng: Generator) -> tuple[int, int]:
    """Make the bag; return how many episodes pass on the left, and how many were drawn again."""
    left = again = 0
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        fresh = Path(folder) / out.name
        with (
            BagWriter(fresh) as writer,
            progress("demonstrating", "episodes", episodes) as advance_to,
        ):
            start = _PAUSE
            for done in range(episodes):
                recorder, side, drawn = _demonstration(rng)
                start += recorder.write(writer, start) + _PAUSE
                left, again = left + (side > 0.0), again + drawn - 1
                advance_to(done + 1)
        fresh.rename(out)
    return left, again


def _demonstration(rng: Generator) -> tuple[EpisodeRecorder, float, int]:
    """Return an episode, the side on which it passes, and how many it took to draw it."""
    for drawn in range(1, _DRAWS + 1):
        recorder = EpisodeRecorder()
        side = _episode(rng, recorder)
        if side:
            return recorder, side, drawn
    raise UserError(f"{_DRAWS} episodes in a row came too close to the obstacle")


def _episode(rng: Generator, recorder: EpisodeRecorder) -> float:
    """Drive an episode; return on which side it passed, 0 where it is of no use.

    Pushes, at the start and now and then, bring the robot to where our controller
    would not have: what it then does is shown, the push itself is not.
    """
    course = draw_passing(rng, SPEED)
    loop = ClosedLoop(MODEL, course, LIMITS, period=PERIOD, seed=int(rng.integers(2**31)))
    demonstrator = Demonstrator(course)
    push(loop, rng)
    demonstrator.choose(loop.state, rng)
    recorder.begin(loop.time, course)
    stood, again = 0.0, loop.time + rng.uniform(*_BETWEEN)
    while stood < _STANDING:
        if loop.time >= again and not demonstrator.finished:
            push(loop, rng)
            demonstrator.choose(loop.state, rng)
            again = loop.time + rng.uniform(*_BETWEEN)
        sent = loop.send(demonstrator.drive(loop.state))
        demonstrator.sent(loop.time, sent)
        recorder.command(loop.time, loop.twist)
        recorder.samples(loop.advance())
        stood += PERIOD if demonstrator.finished else 0.0
        if loop.closest < _TOO_CLOSE or loop.touched or loop.time > _LONGEST:
            return 0.0
    return demonstrator.side
