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
    from collections.abc import Sequence

    from ebm_mpc_ros.tools.report_events import Said
    from ebm_mpc_ros.tools.report_run import Run

_MOST_ROWS, _MOST_NODES, _MOST_SPANS = 300, 20, 1000
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
            ("plan age p99 ms", "plan, p99", POLICY),
            ("estimate age median ms", "estimate, median", ESTIMATE),
            ("estimate age p99 ms", "estimate, p99", ESTIMATE),
        ),
    ),
    (
        "Age of the state that a plan is made from",
        "age (ms)",
        (("state age median ms", "median", ESTIMATE), ("state age p99 ms", "p99", COMMAND)),
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
TOUCHES = "touches"
FIGURES = frozenset({TOUCHES, *(key for _, _, entries in _TIMES for key, _, _ in entries)})
"""The numbers of nodes that a report shows."""


def times_panel(run: Run) -> Panel:
    """Return how long solving and sampling took, second by second."""
    key, title = "times", "Solve and sampling times"
    figures = []
    for name, unit, entries in _TIMES:
        nodes = sorted(
            {node for node, key in run.figures if key in {entry[0] for entry in entries}}
        )[:_MOST_NODES]
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
    by_node = {node: [said for said in run.said if said.node == node] for node in nodes}
    rows = [(node, _spans(said)) for node, said in by_node.items()]
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
    if any(len(said) > _MOST_SPANS for said in by_node.values()):
        words += f" Where a node said more than {_MOST_SPANS:,}, the figure has the worst of a few."
    if len(nodes) < len(worst):
        words += f" The figure has the {len(nodes)} worst of {len(worst)} nodes."
    return Panel(key, title, words, [Strip("Level of each node", rows), table])


def _spans(told: Sequence[Said]) -> list[tuple[float, float, int, str]]:
    """Return from, to, level, text of what a node said; the worst of every few if it said much."""
    every = -(-len(told) // _MOST_SPANS)
    found = []
    for k in range(0, len(told), every):
        some = told[k : k + every]
        worst = max(some, key=lambda said: said.level)
        text = worst.message if len(some) == 1 else f"{worst.message} (worst of {len(some)})"
        found.append((some[0].begin, some[-1].end, worst.level, text))
    return found
