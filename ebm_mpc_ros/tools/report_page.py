"""The page of a report: one HTML file that fetches nothing.

All that comes from a bag is escaped here, or is text in a JSON block that the page's script puts
into text nodes. A content security policy lets no other script run and nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.tools.report_chart import Chart, Panel, Strip, Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ebm_mpc_ros.learning.bags import Topic
    from ebm_mpc_ros.tools.report_map import Map

_SCRIPT = ("view", "charts", "map", "start")
_BUTTONS = (
    ("out", "−", "zoom out"),
    ("in", "+", "zoom in"),
    ("back", "◀", "earlier"),
    ("on", "▶", "later"),
    ("all", "All", "show all of the run"),
)
_HELP = (
    "Drag over a figure to zoom, double-click for all. Keys on a figure: ← → cursor, "
    "Shift ← → move, + − zoom, 0 all."
)


_FIRST = "<!doctype html>"


class Page(NamedTuple):
    """What a page shows.

    Attributes:
        title: Of the run.
        source: Where it is from and when it was.
        duration: s.
        tiles: Its main figures, name and value.
        map: Where the robot was; or why that is not known.
        panels: All others, those that are missing among them.
        topics: All in the bag.
        notes: What else a reader must know.
    """

    title: str
    source: str
    duration: float
    tiles: Sequence[tuple[str, str]]
    map: Map | str
    panels: Sequence[Panel]
    topics: Sequence[Topic]
    notes: Sequence[str]


def render(page: Page) -> str:
    """Return the page as HTML."""
    style = _file("report_page.css")
    parts = "\n".join(_file(f"report_page_{part}.js") for part in _SCRIPT)
    script = f'"use strict";\n(() => {{\n{parts}}})();\n'
    drawn: list[dict[str, Any]] = []
    there = [panel for panel in page.panels if panel.figures]
    body = [
        _header(page, there),
        _bar() if there or not isinstance(page.map, str) else "",
        '<main>\n<div class="columns">',
        _map(page.map, drawn),
        "<div>",
        *(_panel(panel, drawn) for panel in there),
        "</div>\n</div>",
        _missing(page),
        _topics(page),
        "</main>",
    ]
    data = json.dumps(
        {"duration": round(page.duration, 3), "figures": drawn},
        allow_nan=False,
        ensure_ascii=False,
        separators=(",", ":"),
    ).replace("<", "\\u003c")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        f'{_FIRST}\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(page.title)}: report</title>\n<style>{style}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + f'\n<script type="application/json" id="report-data">{data}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def is_page(path: Path) -> bool:
    """Return whether a file is such a page, or empty.

    Raises:
        UserError: It can't be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(len(_FIRST)) in (b"", _FIRST.encode())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error


def _file(name: str) -> str:
    return files("ebm_mpc_ros.tools").joinpath(name).read_text(encoding="utf-8")


def _digest(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _header(page: Page, panels: Sequence[Panel]) -> str:
    tiles = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in page.tiles
    )
    links = [("map", "Trajectory"), *((panel.key, panel.title) for panel in panels)]
    links += [("missing", "Missing"), ("topics", "Topics")]
    items = "".join(f'<li><a href="#{key}">{escape(title)}</a></li>' for key, title in links)
    return (
        f'<header>\n<h1>{escape(page.title)}</h1>\n<p class="source">{escape(page.source)}</p>\n'
        f'<dl class="tiles">{tiles}</dl>\n{_notes(page.notes)}'
        f'<nav aria-label="Panels"><ul>{items}</ul></nav>\n'
        f'<p class="notes help">{_HELP}</p>\n'
        "<noscript><p>The figures are drawn by the script in this file: it needs JavaScript."
        "</p></noscript>\n</header>"
    )


def _bar() -> str:
    buttons = "".join(
        f'<button type="button" data-do="{key}" aria-label="{name}" title="{name}">{sign}</button>'
        for key, sign, name in _BUTTONS
    )
    return (
        f'<div class="bar" role="toolbar" aria-label="Time shown">{buttons}'
        '<output id="time" aria-live="off"></output></div>'
    )


def _map(found: Map | str, drawn: list[dict[str, Any]]) -> str:
    if isinstance(found, str):
        return (
            '<section id="map" class="map"><h2>Trajectory</h2>'
            f'<p class="words">Missing: it {escape(found)}</p></section>'
        )
    drawn.append({"kind": "map", "spoken": found.spoken, **found.content})
    return (
        '<section id="map" class="map"><h2>Trajectory</h2>'
        f'<figure data-figure="{len(drawn) - 1}"></figure>{_notes(found.notes)}</section>'
    )


def _panel(panel: Panel, drawn: list[dict[str, Any]]) -> str:
    parts = [
        f'<section id="{panel.key}"><h2>{escape(panel.title)}</h2>',
        f'<p class="words">{escape(panel.words)}</p>' if panel.words else "",
    ]
    for figure in panel.figures:
        if isinstance(figure, Table):
            parts.append(_table(figure, panel.title))
            continue
        drawn.append(_drawn(figure))
        notes = _notes([" ".join(figure.notes)]) if isinstance(figure, Chart) else ""
        parts.append(
            f'<figure data-figure="{len(drawn) - 1}"><figcaption><h3>{escape(figure.title)}</h3>'
            f"{notes}</figcaption></figure>"
        )
    return "\n".join([*parts, "</section>"])


def _drawn(figure: Chart | Strip) -> dict[str, Any]:
    if isinstance(figure, Strip):
        rows = [
            [
                name,
                [[round(begin, 2), round(end, 2), level, text] for begin, end, level, text in row],
            ]
            for name, row in figure.rows
        ]
        return {"kind": "strip", "spoken": figure.spoken, "rows": rows}
    return {
        "kind": "chart",
        "spoken": figure.spoken,
        "x": figure.x,
        "y": figure.y,
        "log": figure.log,
        "zero": figure.zero,
        "series": figure.series,
    }


def _table(table: Table, title: str) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.head)
    rows = []
    for at, (when, *cells) in table.rows:
        level = cells[2]
        rank = {"warning": 1, "error": 2, "stale": 3}.get(level, 0)
        body = "".join(
            f'<td class="level-{rank}">{escape(cell)}</td>'
            if cell is level
            else f"<td>{escape(cell)}</td>"
            for cell in cells
        )
        rows.append(
            f'<tr><td><button type="button" data-at="{at:.3f}" title="put the cursor there">'
            f"{escape(when)}</button></td>{body}</tr>"
        )
    return (
        f'<div class="table events" tabindex="0" role="region" aria-label="{escape(title)}, table">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _missing(page: Page) -> str:
    missing = [panel for panel in page.panels if not panel.figures]
    if not missing:
        said = '<p class="words">Nothing: this recording has all that a report can show.</p>'
    else:
        entries = "".join(
            f"<dt>{escape(panel.title)}</dt><dd>{escape(panel.words)}</dd>" for panel in missing
        )
        said = f"<dl>{entries}</dl>"
    return (
        '<section id="missing" class="missing"><h2>Missing from this recording</h2>'
        f"{said}</section>"
    )


def _topics(page: Page) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(kind)}</td><td>{count:,}</td></tr>"
        for name, kind, count in page.topics
    )
    return (
        '<section id="topics"><h2>Topics</h2>'
        '<div class="table" tabindex="0" role="region" aria-label="Topics, table"><table><thead>'
        '<tr><th scope="col">topic</th><th scope="col">type</th><th scope="col">messages</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></div></section>"
    )


def _notes(notes: Sequence[str]) -> str:
    return "".join(f'<p class="notes">{escape(note)}</p>' for note in notes if note)
