"""Python imports this at its start from a folder on `PYTHONPATH`."""

import os
import sys

from lengthened_waits import lengthen

# The first processes are forked from the command, those of later from a launcher.
if "SLOWDOWN" in os.environ and not {"serve", "gatepost.app.launcher"}.isdisjoint(sys.orig_argv):
    lengthen(float(os.environ["SLOWDOWN"]))
