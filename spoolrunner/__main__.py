"""`python -m spoolrunner` is the command `spoolrunner`."""

import os
import sys

if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:
    # Python puts the working directory there, which often has the jobs: one of them may be named like a module that we need.
    del sys.path[0]

from spoolrunner.cli import main

sys.exit(main())
