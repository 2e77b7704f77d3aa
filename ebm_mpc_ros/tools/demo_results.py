"""The folder of a demo's results: a run that never drove leaves those of the last one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Self

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.learning.bags import METADATA
from ebm_mpc_ros.tools.report_source import PAGE, PARAMETERS

if TYPE_CHECKING:
    from pathlib import Path

PICTURE = "drive.png"
"""Name of the picture of the drive."""
_BAG, _LOGS, _FORMER = "bag", "logs", ".former"


class Results:
    """Puts a former run's results aside, and back at the end unless `keep` is called."""

    def __init__(self, out: Path) -> None:
        """Make the folder.

        Raises:
            UserError: It can't be made, or has a bag/ that is none.
        """
        self.bag, self.logs = out.resolve() / _BAG, out / _LOGS
        self._out, self._former = out, out / _FORMER
        if self.bag.exists() and not (self.bag / METADATA).is_file():
            raise UserError(f"--out {out}: its bag/ is no earlier result; choose another folder")
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            for log in self.logs.glob("*_node.log"):
                log.unlink()
            if self._former.exists():  # of a run that was killed
                self._restore()
            self._former.mkdir()
            self._move(self._out, self._former)
        except OSError as error:
            raise UserError(f"--out {out}: {error.strerror or error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._former.exists():
            self._restore()

    def keep(self) -> None:
        """Have the new results replace the former ones."""
        shutil.rmtree(self._former)

    def _restore(self) -> None:
        if any(self._former.iterdir()):
            shutil.rmtree(self.bag, ignore_errors=True)
            for name in (PICTURE, PAGE, PARAMETERS):
                (self._out / name).unlink(missing_ok=True)
            self._move(self._former, self._out)
        self._former.rmdir()

    @staticmethod
    def _move(source: Path, target: Path) -> None:
        for name in (_BAG, PICTURE, PAGE, PARAMETERS):
            if (source / name).exists():
                (source / name).rename(target / name)
