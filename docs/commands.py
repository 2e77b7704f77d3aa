"""Runs the commands of README.md and docs/*.md, each page's in a fresh clone; `make docs`.

A page's sh blocks are run in their order, in the clone's root, by `sh -e`. A comment in the page
before a block says why it isn't run, `<!-- run: no, needs a robot -->`, or that the tests run it,
too: `<!-- run: test -->`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
_BLOCK = re.compile(
    r"^(?:<!-- run: (?P<mark>.+?) -->\n\n?)?```sh\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
_NOT_RUN = "no, "


@dataclass(frozen=True, kw_only=True)
class Block:
    """Commands in a page: where, what, and what the comment before them says of running them."""

    page: Path
    line: int
    text: str
    mark: str = ""

    @property
    def reason(self) -> str:
        """Why it isn't run; empty where it is."""
        return self.mark.removeprefix(_NOT_RUN) if self.mark.startswith(_NOT_RUN) else ""

    @property
    def place(self) -> str:
        """Page and line."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """Return the sh blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page=page,
            line=text.count("\n", 0, found.start("text")) + 1,
            text=found["text"],
            mark=found["mark"] or "",
        )
        for found in _BLOCK.finditer(text)
    ]


def main() -> int:
    """Run; return 1 if a command failed."""
    parser = argparse.ArgumentParser(
        description="Run the commands of the documents, each page's in a fresh clone of HEAD."
    )
    parser.add_argument("pages", nargs="*", type=Path, metavar="PAGE", help="only these")
    parser.add_argument(
        "--list", action="store_true", help="say what is run and what isn't, and run nothing"
    )
    parser.add_argument(
        "--fresh", action="store_true", help="let the clone fill a .venv of its own, as a user's"
    )
    arguments = parser.parse_args()
    pages = [page.resolve() for page in arguments.pages] or PAGES
    if arguments.list:
        for block in (block for page in pages for block in blocks(page)):
            first = block.text.partition("\n")[0]
            print(f"{block.place}: {block.mark or 'run'}: {first}")
        return 0
    return 1 if [page for page in pages if not _run(page, fresh=arguments.fresh)] else 0


def _run(page: Path, *, fresh: bool) -> bool:
    """Run a page's blocks up to the first that fails; return whether none does."""
    chosen = [block for block in blocks(page) if not block.reason]
    if not chosen:
        return True
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / ROOT.name
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)  # noqa: S603, S607
        if not fresh:
            (clone / ".venv").symlink_to(ROOT / ".venv")
        for block in chosen:
            print(f"== {block.place}\n{block.text}", flush=True)
            began = time.monotonic()
            done = subprocess.run(["sh", "-ec", block.text], cwd=clone, check=False)  # noqa: S603, S607
            told = "ok" if done.returncode == 0 else f"FAILED with exit code {done.returncode}"
            print(f"== {block.place}: {told}, {time.monotonic() - began:.0f} s", flush=True)
            if done.returncode:
                return False
    return True


if __name__ == "__main__":
    sys.exit(main())
