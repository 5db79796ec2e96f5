"""`python -m opengato`."""

import sys

from opengato.cli import main

if __name__ == "__main__":
    sys.exit(main())
