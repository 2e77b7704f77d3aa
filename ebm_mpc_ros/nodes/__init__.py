"""One file a node."""

import os

# The matrices here are tiny: BLAS threads only get into each other's way.
for _library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
