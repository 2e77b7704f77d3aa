"""Runs the commands of README.md and docs/*.md, each page's in a fresh clone; `make docs`.

A page's sh blocks are run in their order, in the clone's root; a command that fails, also within a
pipe, ends the page. A comment in the page before a block says why it isn't run, `<!-- run: no,
needs a robot -->`, or that the tests run it, too, `<!-- run: test -->`, or that its lines need a
sourced ROS with this package and go on until they are interrupted, `<!-- run: ros 30 s -->`: they
are started together, must still be running after that time, and end with code 0 on Ctrl-C. Where
there is no `ros2` such a block is skipped, and named.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
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
_HELD = re.compile(r"ros (\d+) s")
_PATIENCE = 30.0
_FAILED = 1


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
    def seconds(self) -> int:
        """How long its lines have to keep running in a ROS; 0 where it needs none."""
        held = _HELD.fullmatch(self.mark)
        return int(held[1]) if held else 0

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


def shell(text: str) -> list[str]:
    """Return the command line that runs a block."""
    return ["bash", "-eo", "pipefail", "-c", text]


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
            if block.seconds and shutil.which("ros2") is None:
                print(f"== {block.place}: skipped, there is no ros2 here", flush=True)
                continue
            began = time.monotonic()
            if block.seconds:
                code = _hold(block, clone)
            else:
                code = subprocess.run(shell(block.text), cwd=clone, check=False).returncode  # noqa: S603
            told = f"FAILED with exit code {code}" if code else "ok"
            print(f"== {block.place}: {told}, {time.monotonic() - began:.0f} s", flush=True)
            if code:
                return False
    return True


def _hold(block: Block, clone: Path) -> int:
    """Run a block's lines side by side for its time, then interrupt them; return what failed."""
    lines = [line for line in block.text.replace("\\\n", " ").splitlines() if line.strip()]
    running = [
        subprocess.Popen(  # noqa: S603
            shell(f"exec env {line}"),  # a line may begin with variables
            cwd=clone,
            start_new_session=True,
            # A shell's background jobs ignore the signal, and so would these.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        )
        for line in lines
    ]
    try:
        time.sleep(block.seconds)
        ended = [one.poll() for one in running]
        for one in running:
            one.send_signal(signal.SIGINT)
        codes = [one.wait(_PATIENCE) for one in running]
    finally:
        for one in running:
            if one.poll() is None:
                os.killpg(one.pid, signal.SIGKILL)
    # What ended by itself has failed, whatever its code.
    return next((code or _FAILED for code in ended if code is not None), max(codes, key=abs))


if __name__ == "__main__":
    sys.exit(main())
