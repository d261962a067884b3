"""The door: `gatepost …` and `python -m gatepost …`."""

import sys


def main() -> None:
    from gatepost.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
