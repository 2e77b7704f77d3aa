"""What the tests of learning share."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent))
