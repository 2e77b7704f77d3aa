"""What the tests of learning share."""

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
sys.path += [str(_HERE), str(_HERE.parent / "energy")]
