"""Panels on the nodes: how long they took, what they said of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebm_mpc_ros.tools.report_chart import (
    COMMAND,
    ESTIMATE,
    FORECAST,
    POLICY,
    Chart,
    Panel,
    Strip,
    Table,
)
from ebm_mpc_ros.tools.report_events import LEVELS
from ebm_mpc_ros.tools.report_topics import ROLES

if TYPE_CHECKING:
    from ebm_mpc_ros.tools.report_reading import Run

_MOST_ROWS, _MOST_NODES = 300, 20
_TIMES = (
    (
        "MPC tick",
        "time (ms)",
        (
            ("tick median ms", "median", FORECAST),
            ("tick p99 ms", "p99", COMMAND),
            ("prepare median ms", "of it preparing, median", ESTIMATE),
            ("feedback median ms", "of it solving, median", POLICY),
        ),
    ),
    (
        "Sampling",
        "time (ms)",
        (("sampling median ms", "median", POLICY), ("sampling p99 ms", "p99", COMMAND)),
    ),
    (
        "Age of what the MPC acts on",
        "age (ms)",
        (
            ("plan age median ms", "plan, median", POLICY),
            ("plan age p99 ms", "plan, p99", COMMAND),
            ("estimate age median ms", "estimate, median", ESTIMATE),
        ),
    ),
    (
        "Deadlines missed and solves failed, since the start",
        "count",
        (
            ("deadline misses", "deadline misses", COMMAND),
            ("solver failures", "solver failures", FORECAST),
        ),
    ),
)


def times_panel(run: Run) -> Panel:
    """Return how long solving and sampling took, second by second."""
    key, title = "times", "Solve and sampling times"
    figures = []
    for name, unit, entries in _TIMES:
        nodes = sorted(
            {node for node, key in run.figures if key in {entry[0] for entry in entries}}
        )
        for node in nodes:
            heading = name if len(nodes) == 1 else f"{name}: {node}"
            chart = Chart(heading, unit, zero=True)
            for key_, label, colour in entries:
                if (node, key_) in run.figures:
                    x, y = run.figures[node, key_].T
                    chart.line(label, x, y, colour, dashed="p99" in label)
            figures.append(chart)
    if not figures:
        return Panel(key, title, f"needs {ROLES['diagnostics']} of mpc_node or policy_node.")
    return Panel(key, title, "Of the last 1,000 of each, told once a second.", figures)


def events_panel(run: Run) -> Panel:
    """Return what nodes said of themselves: who, when, what."""
    key, title = "events", "What the nodes said"
    if not run.said:
        return Panel(key, title, f"needs {ROLES['diagnostics']}.")
    worst: dict[str, int] = {}
    for said in run.said:
        worst[said.node] = max(worst.get(said.node, 0), said.level)
    nodes = sorted(sorted(worst, key=lambda node: (-worst[node], node))[:_MOST_NODES])
    rows = [
        (node, [(s.begin, s.end, s.level, s.message) for s in run.said if s.node == node])
        for node in nodes
    ]
    worst_first = sorted(run.said, key=lambda said: -min(said.level, 2))
    shown = sorted(worst_first[:_MOST_ROWS], key=lambda said: (said.begin, said.node))
    table = Table(
        ("when", "for", "who", "level", "what"),
        [
            (
                said.begin,
                (
                    f"{said.begin:.2f} s",
                    f"{max(said.end - said.begin, 0.0):.1f} s",
                    said.node,
                    LEVELS[said.level] if 0 <= said.level < len(LEVELS) else str(said.level),
                    said.message,
                ),
            )
            for said in shown
        ],
    )
    words = (
        "Told once a second in /diagnostics. A sentence that is said again, be it with other "
        "numbers, is one line: as it was first said."
    )
    if len(shown) < len(run.said):
        words += f" The {len(shown)} worst of {len(run.said):,}."
    if len(nodes) < len(worst):
        words += f" The figure has the {len(nodes)} worst of {len(worst)} nodes."
    return Panel(key, title, words, [Strip("Level of each node", rows), table])
