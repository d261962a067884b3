"""A disk that fails as told: `disk_faults.c`, compiled and preloaded into a relay."""

import errno
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class DiskFaults:
    """What is wrong with the disk at present, for every process with `environment`."""

    library: Path
    control: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self.library), "GATEPOST_DISK_FAULTS": str(self.control)}

    def fail(self, *faults: str) -> None:
        """`"sync EIO /0.sqlite-wal"`: call, error and part of the path; none: the disk is mended."""
        lines = []
        for fault in faults:
            call, name, path = fault.split()
            lines.append(f"{call} {getattr(errno, name)} {path}\n")
        new = self.control.with_suffix(".new")
        new.write_text("".join(lines))
        new.rename(self.control)


def disk_faults(folder: Path) -> DiskFaults:
    return DiskFaults(preloadable("disk_faults.c", folder), folder / "disk-faults")


def preloadable(source: str, folder: Path) -> Path:
    """The library made of a C file beside this one. Skips the test where no compiler is at hand; in CI that fails."""
    compiler = shutil.which("cc")
    if compiler is None:
        assert os.environ.get("CI") != "true", "CI must have a C compiler (cc)"
        pytest.skip("no C compiler (cc) here; in CI there is one")
    library = (folder / source).with_suffix(".so")
    file = Path(__file__).with_name(source)
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, file, "-ldl"]
    subprocess.run(command, check=True, timeout=60)
    return library
