"""`python -m barkyard` is the same as `barkyard`."""

import sys

from barkyard.cli import main

if __name__ == "__main__":
    sys.exit(main())
