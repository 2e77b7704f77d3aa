"""Where the files lie that come with the package: config, launch, worlds."""

from __future__ import annotations

import os
from pathlib import Path


def share_directory() -> Path:
    """Return the folder that holds config/, launch/ and worlds/.

    That is the source tree where the package runs from one, else its share folder in the first
    ament prefix that has it.

    Raises:
        FileNotFoundError: Neither is there.
    """
    source = Path(__file__).resolve().parents[1]
    if (source / "package.xml").is_file():
        return source
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        share = Path(prefix) / "share" / "ebm_mpc_ros"
        if (share / "package.xml").is_file():
            return share
    raise FileNotFoundError("ebm_mpc_ros is not in AMENT_PREFIX_PATH: source its setup.bash")
