"""All nodes on a simulated robot, as processes over DDS: a drive, its figures, its picture."""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from rich.table import Table

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.ros.parameter_file import check_speaks_of, load_layers
from ebm_mpc_ros.simulation.courses import course_names, load_course
from ebm_mpc_ros.tools.console import command, console, progress
from ebm_mpc_ros.tools.demo_results import PICTURE, Results
from ebm_mpc_ros.tools.drive import Drive, Summary, read_drive, summarise
from ebm_mpc_ros.tools.drive_picture import draw_drive
from ebm_mpc_ros.tools.graph import (
    CONTROLLERS,
    ROBOT_NODES,
    SHIPPED_POLICY,
    NodeSpec,
    announced,
    default_params_file,
    recorder,
    simulation_graph,
)
from ebm_mpc_ros.tools.processes import Processes
from ebm_mpc_ros.tools.report_source import PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Sequence

_START_PATIENCE = 60.0
_STALL_PATIENCE = 20.0
_SLUGGISH = 0.5
_FAILED = 1
_SHIPPED, _NONE = "shipped", "none"
_CANNOT = "can't configure:"
_RECORD = (
    "# What the nodes of this drive ran with. Not for a robot: here it drives from the start.\n"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the tool's arguments."""
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.add_argument(
        "--controller",
        choices=CONTROLLERS,
        default="policy_mpc",
        help="; ".join(f"{name}: {text}" for name, text in CONTROLLERS.items()),
    )
    parser.add_argument(
        "--checkpoint",
        default=_SHIPPED,
        metavar="FILE",
        help=f"the trained policy; {_NONE}: plans are sampled from the tracking cost",
    )
    parser.add_argument(
        "--robot",
        type=Path,
        action="append",
        default=[],
        metavar="YAML",
        help="parameters that differ from config/diff_drive.yaml; of several the last one wins",
    )
    parser.add_argument(
        "--course", choices=course_names(), default="figure_eight", help="the course to drive"
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=30.0, metavar="S", help="how long to drive, s"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of sensor noise and sampling"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out/demo"), metavar="DIR", help="folder for the results"
    )


def run(arguments: argparse.Namespace) -> int:
    """Drive, then judge: 1 if a node died or the robot left the course or touched something."""
    graph = _graph(arguments)
    parameters = _parameters(graph)
    out: Path = arguments.out
    problem, start = "", math.nan
    with Results(out) as results:
        (out / PARAMETERS).write_text(parameters, encoding="utf-8")
        with Processes((*graph, recorder(results.bag)), results.logs) as processes:
            try:
                start = _watch(processes, arguments.seconds)
            except _DriveFailedError as error:
                problem = str(error)
        drive = None
        if results.bag.exists():
            drive = read_drive(results.bag, load_course(arguments.course))
        if drive is None:
            reason = problem or "the robot was never told to move"
            console.print(f"failed: {reason}; see {results.logs}")
            return _FAILED
        results.keep()
    summary = summarise(drive)
    title = f"{arguments.course}, {arguments.controller}, seed {arguments.seed}"
    draw_drive(out / PICTURE, drive, summary, title)
    _print_table(drive, summary, title, start)
    print(f"picture: {out}/{PICTURE}")
    print(f"bag:     {out}/bag (MCAP, all topics)")
    print(f"logs:    {out}/logs")
    print(f"report:  {command('report', str(out))}")
    for complaint in drive.complaints:
        console.print(f"during the drive: {complaint}", style="yellow")
    problems = [problem] if problem else []
    if summary.touched:
        problems.append("the robot touched an obstacle")
    if summary.left_course:
        problems.append(
            f"the robot left the course: {summary.cross_track_worst:.2f} m from its path"
        )
    expected = summary.duration * drive.course.speed
    if summary.distance < _SLUGGISH * expected:
        problems.append(f"the robot drove {summary.distance:.1f} m of about {expected:.1f} m")
    for text in problems:
        console.print(f"failed: {text}", style="bold red")
    return _FAILED if problems else 0


def _graph(arguments: argparse.Namespace) -> tuple[NodeSpec, ...]:
    """Return the processes that the arguments ask for."""
    if arguments.seed < 0:
        raise UserError(f"--seed {arguments.seed}: must be at least 0")
    for file in arguments.robot:
        check_speaks_of(file, ROBOT_NODES)
    try:
        return simulation_graph(
            controller=arguments.controller,
            course=arguments.course,
            seed=arguments.seed,
            params_file=default_params_file(),
            robot_files=arguments.robot,
            checkpoint=_checkpoint(arguments),
        )
    except ValueError as error:
        raise UserError(str(error)) from error


def _checkpoint(arguments: argparse.Namespace) -> str:
    """Return which trained policy drives, empty for none."""
    given: str = arguments.checkpoint
    if given == _SHIPPED:
        return "" if arguments.controller == "mpc" else SHIPPED_POLICY
    return "" if given == _NONE else given


def _parameters(graph: Sequence[NodeSpec]) -> str:
    """Return what the nodes run with, their files and what overrules these merged."""
    content = {
        f"/**/{spec.name}": {
            "ros__parameters": {
                **(load_layers(spec.params_files, spec.name) if spec.params_files else {}),
                **spec.parameters,
            }
        }
        for spec in graph
    }
    return _RECORD + yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100)


class _DriveFailedError(Exception):
    """The drive can't go on."""


def _watch(processes: Processes, seconds: float) -> float:
    """Show progress until the robot has driven for `seconds`; return how long its start took."""
    started = heard = time.monotonic()
    driven = start = 0.0
    with progress("driving", "seconds", total=seconds) as advance_to:
        while driven < seconds:
            time.sleep(0.1)
            now = time.monotonic()
            dead = processes.dead()
            if dead:
                name, code = next(iter(dead.items()))
                raise _DriveFailedError(f"{name} ended with exit code {code}")
            latest = announced(processes.log("recorder_node"))
            if latest is not None and latest[0] > driven:
                driven, heard, start = latest[0], now, latest[1] - processes.started
                advance_to(driven)
            refusal = _refusal(processes) if driven == 0.0 else ""
            if refusal:
                raise UserError(refusal)
            if driven == 0.0 and now - started > _START_PATIENCE:
                raise _DriveFailedError(f"no command within {_START_PATIENCE:.0f} s")
            if driven > 0.0 and now - heard > _STALL_PATIENCE:
                raise _DriveFailedError(f"simulated time stood still for {_STALL_PATIENCE:.0f} s")
    return start


def _refusal(processes: Processes) -> str:
    """Return what a node says, in its log, that it can't be configured for."""
    for name in processes.names:
        _, cannot, said = processes.log(name).partition(_CANNOT)
        line, whole, rest = said.partition("\n")
        if line and whole:
            return f"{name} {cannot}{line}"
        error = last_of_traceback(rest)
        if error:
            return f"{name} {cannot} {error}; see {processes.log_file(name)}"
    return ""


def last_of_traceback(text: str) -> str:
    """Return the error that a log's traceback ends with, empty where it isn't all there yet."""
    trace, another, _ = text.partition("\n[")
    if not another and not trace.endswith("\n\n"):
        return ""
    lines = [line for line in trace.splitlines() if line and not line[0].isspace()]
    return lines[-1] if lines else ""


def _print_table(drive: Drive, summary: Summary, title: str, start: float) -> None:
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column(justify="left")
    table.add_column(justify="right")
    mpc = drive.figures.get("mpc_node", {})
    policy = drive.figures.get("policy_node", {})
    for name, value in (
        ("start of the processes to the first command", f"{start:.1f} s"),
        ("driven", f"{summary.distance:.1f} m in {summary.duration:.1f} s"),
        ("estimate RMSE", f"{summary.estimate_rmse:.3f} m"),
        ("wheel odometry RMSE", f"{summary.wheels_rmse:.3f} m"),
        ("cross-track RMS, away from obstacles", f"{summary.cross_track_rms:.3f} m"),
        ("smallest clearance", f"{summary.clearance:.3f} m"),
        ("MPC tick, median / p99", _pair(mpc, "tick median ms", "tick p99 ms")),
        ("sampling, median / p99", _pair(policy, "sampling median ms", "sampling p99 ms")),
        ("plan age, median / p99", _pair(mpc, "plan age median ms", "plan age p99 ms")),
        ("deadline misses", mpc.get("deadline misses", "-")),
        ("simulator: time lost", drive.figures.get("simulator_node", {}).get("time lost s", "-")),
    ):
        table.add_row(name, value)
    console.print(table)


def _pair(figures: dict[str, str], median: str, p99: str) -> str:
    if median not in figures:
        return "-"
    return f"{figures[median]} / {figures[p99]} ms"


def _seconds(text: str) -> float:
    value = float(text)
    if not 1.0 <= value <= 3600.0:
        raise argparse.ArgumentTypeError(f"{text}: must be from 1 to 3600")
    return value
