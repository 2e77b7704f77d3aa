"""A page from a recorded run: one HTML file that a browser opens, with all that was recorded."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.learning.bags import open_bag
from ebm_mpc_ros.tools.console import console, progress
from ebm_mpc_ros.tools.report_driving import command_panels, forecast_panel
from ebm_mpc_ros.tools.report_filter import error_panel, innovation_panel, nis_panel, sigma_panel
from ebm_mpc_ros.tools.report_health import events_panel, times_panel
from ebm_mpc_ros.tools.report_map import make_map
from ebm_mpc_ros.tools.report_page import Page, is_page, render
from ebm_mpc_ros.tools.report_reading import read_run
from ebm_mpc_ros.tools.report_source import (
    Innovations,
    drivers_in,
    find_source,
    innovations_of,
    limits_of,
)
from ebm_mpc_ros.tools.report_summary import tiles
from ebm_mpc_ros.tools.report_topics import ROLES, assign
from ebm_mpc_ros.tools.train_process import terminable

if TYPE_CHECKING:
    import argparse

    from ebm_mpc_ros.learning.bags import Bag
    from ebm_mpc_ros.tools.report_run import Run
    from ebm_mpc_ros.tools.report_source import Source
    from ebm_mpc_ros.tools.report_topics import Roles

# Stamps below are of a simulation that starts at 0: no date.
_FIRST_DATE = 10**18


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the tool's arguments."""
    parser.add_argument(
        "run",
        type=Path,
        metavar="DIR|BAG",
        help="folder that demo or replay made, ROS 1 bag, ROS 2 bag folder, or event log",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="HTML file to write (default: DIR/report.html, or BAG.report.html beside the bag)",
    )
    parser.add_argument(
        "--replace", action="store_true", help="write the file even if it exists already"
    )
    parser.add_argument(
        "--params",
        action="append",
        default=[],
        metavar="FILE",
        help="parameter YAMLs of the nodes, A.yaml,B.yaml (B over A); may be repeated: give "
        "innovations and limits (default: that in DIR)",
    )
    parser.add_argument(
        "--node", default="ekf_node", metavar="NAME", help="estimator in FILE (default: ekf_node)"
    )
    parser.add_argument(
        "--namespace", default="", metavar="NS", help="the robot's, where a bag has several"
    )
    parser.add_argument(
        "--topic",
        action="append",
        default=[],
        metavar="ROLE=TOPIC",
        help=f"a topic of another name; may be repeated; ROLE is one of {', '.join(ROLES)}",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the page; print where it is."""
    source = find_source(arguments.run)
    out = arguments.out or source.page
    if out.is_dir():
        raise UserError(f"--out {out}: is a folder")
    if out.exists() and not arguments.replace:
        raise UserError(f"--out {out}: exists already; --replace writes it anew")
    if out.exists() and not is_page(out):
        raise UserError(f"--out {out}: is no page, so --replace leaves it alone")
    if not out.absolute().parent.is_dir():
        raise UserError(f"--out {out}: no folder {out.parent}")
    with terminable(), open_bag(source.bag) as bag:
        page = _page(bag, source, arguments)
        _write(out, render(page))
    console.print(f"{out.stat().st_size / 1e6:.1f} MB, opens in any browser without a network")
    print(f"report: {out}")
    return 0


def _page(bag: Bag, source: Source, arguments: argparse.Namespace) -> Page:
    roles = assign(bag.topics, namespace=arguments.namespace, given=arguments.topic)
    params = [Path(name) for given in arguments.params for name in given.split(",") if name]
    params = params or [*source.params]
    drivers = drivers_in(params, roles.namespace)
    innovations = innovations_of(bag, source, params, arguments.node, strictly=not drivers)
    found = _read(bag, roles, innovations)
    if found.set_back:
        # Theirs are of all stretches, and nothing but stamps tells which.
        innovations = Innovations(None, "a recording in which no clock is set back")
    the_map = make_map(found)
    return Page(
        title=source.title,
        source=f"{arguments.run}, {_when(found)}",
        duration=found.duration,
        tiles=tiles(found, innovations.table),
        map=the_map or f"needs {ROLES['estimate']}, or any other odometry.",
        panels=[
            events_panel(found),
            *command_panels(found, limits_of(drivers, found)),
            error_panel(found),
            sigma_panel(found),
            innovation_panel(found, innovations.table, innovations.words),
            nis_panel(found, innovations.table, innovations.words),
            forecast_panel(found),
            times_panel(found),
        ],
        topics=sorted(bag.topics.values()),
        notes=_notes(found, roles),
    )


def _read(bag: Bag, roles: Roles, innovations: Innovations) -> Run:
    wanted = {*roles.topics.values(), *roles.odometries}
    total = sum(bag.topics[topic].messages for topic in wanted)
    with progress("reading", "messages", max(total, 1)) as advance_to:
        before = bag.read
        bag.watch = lambda read: advance_to(read - before)
        found = read_run(bag, roles, innovations.estimates)
        bag.watch = None
    return found


def _when(found: Run) -> str:
    if found.start < _FIRST_DATE:
        return f"simulated time from {found.start * 1e-9:.1f} s on"
    moment = dt.datetime.fromtimestamp(found.start * 1e-9, tz=dt.UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _notes(found: Run, roles: Roles) -> list[str]:
    notes = [
        f"{count:,} {things} {words}." for (things, words), count in sorted(found.remarks.items())
    ]
    return notes + [
        f"The {role} is missing: it needs {why}."
        for role, why in roles.missing.items()
        if why.startswith("one of")
    ]


def _write(out: Path, html: str) -> None:
    """Write into a temporary file first, so that no half-written page is left."""
    try:
        with tempfile.TemporaryDirectory(dir=out.absolute().parent, prefix=".report-") as folder:
            fresh = Path(folder) / out.name
            fresh.write_bytes(html.encode("utf-8", "replace"))
            fresh.replace(out)
    except OSError as error:
        raise UserError(f"--out {out}: {error.strerror or error}") from error
