"""One file a node."""

import os
import signal
import sys
from pathlib import PurePath

# The matrices here are tiny: BLAS threads only get into each other's way.
for _library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

# A node's process, be it `-m` or the node's command, comes here first. What it imports then takes
# seconds, in which Ctrl-C would end in a traceback; `spin` has handlers of its own.
_command = PurePath(sys.argv[0]).stem if sys.argv else ""
if _command == "-m" or _command.endswith("_node"):
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
