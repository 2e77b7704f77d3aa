"""Before anything imports NumPy: on arrays this small BLAS threads only contend."""

import os

for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
