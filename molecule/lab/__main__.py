"""Run the lab as ``python3 -m lab COMMAND``."""

from __future__ import annotations

import sys

from lab.cli import main

sys.exit(main(sys.argv[1:]))
