"""`gatepost hybrid apply` that dies by SIGKILL at one mark of its journal.

    python killed_apply.py MARK STEP ARGUMENTS…

MARK `begun`: when the step was noted, before anything of it was done. MARK `done`: when it was done, before that was
noted.
"""

import os
import signal
import sys

from gatepost.cli.main import run
from gatepost.hybrid import journal


def main(mark: str, step: int, arguments: list[str]) -> int:
    note = journal.Apply.note

    def deadly(apply: journal.Apply, noted: journal.Mark, number: int = 0) -> None:
        if (noted, number) == (mark, step) and mark == "begun":
            note(apply, noted, number)
        if (noted, number) == (mark, step):
            os.kill(os.getpid(), signal.SIGKILL)
        note(apply, noted, number)

    journal.Apply.note = deadly  # type: ignore[method-assign]
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
