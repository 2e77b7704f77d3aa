"""What holds for every test: one thread for BLAS, and hypothesis without chance or hurry."""

import os

# Before anything imports NumPy: on arrays this small BLAS threads only contend.
for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import hypothesis  # noqa: E402

# The same examples at every run, however slow the machine.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")
