"""Makes what the tests of the ROS side share importable."""

import sys
from pathlib import Path

import hypothesis

sys.path.append(str(Path(__file__).resolve().parent))

# The same examples at every run, however slow the machine.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")
