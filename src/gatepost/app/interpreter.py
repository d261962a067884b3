"""Which Python runs the relay, and whether it was built to be fast.

A build without optimization takes a quarter more processor time for the same mail, and nothing else shows it. It is
what `./configure` makes unless it is asked, and what many tools make that compile a Python for a user. The packages of
distributions are optimized by rules of their own, which leave no trace in the interpreter.
"""

import sys
import sysconfig
from pathlib import Path
from platform import python_version

from gatepost.admin.status.observed import Interpreter

_OF_DISTRIBUTION = Path("/usr")


def interpreter() -> Interpreter:
    """That of the present process, which is the service's where both are one installation."""
    return Interpreter(
        version=python_version(),
        optimized=is_optimized(Path(sys.base_prefix), sysconfig.get_config_var("CONFIG_ARGS") or ""),
    )


def is_optimized(prefix: Path, arguments: str) -> bool:
    """Of a build for `prefix` that was configured with `arguments`."""
    return prefix == _OF_DISTRIBUTION or "--enable-optimizations" in arguments
