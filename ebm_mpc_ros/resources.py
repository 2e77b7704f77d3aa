"""Where the files lie that come with packages: config, launch, worlds, checkpoints."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = "ebm_mpc_ros"
_SCHEME = "package://"


def share_directory(package: str = _PACKAGE) -> Path:
    """Return the folder that holds a package's config/, launch/ and so on.

    That is the source tree where this package runs from one, else the share folder in the first
    ament prefix that has it.

    Raises:
        FileNotFoundError: Neither is there.
    """
    source = Path(__file__).resolve().parents[1]
    if package == _PACKAGE and (source / "package.xml").is_file():
        return source
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        share = Path(prefix) / "share" / package
        if (share / "package.xml").is_file():
            return share
    raise FileNotFoundError(f"{package} is not in AMENT_PREFIX_PATH: source its setup.bash")


def resolved(path: str) -> Path:
    """Return the path of a file, of one in a package where it is `package://NAME/...`.

    Raises:
        FileNotFoundError: There is no such package.
    """
    if not path.startswith(_SCHEME):
        return Path(path).expanduser()
    package, _, inside = path.removeprefix(_SCHEME).partition("/")
    return share_directory(package) / inside
