"""`python -m spoolrunner` is the command `spoolrunner`."""

import sys

from spoolrunner.cli import main

sys.exit(main())
