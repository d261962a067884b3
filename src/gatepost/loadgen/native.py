"""C programs that ship as source, compiled with the system's compiler at first use and kept in the user's cache.

Law: a program in the cache was made of exactly the source that is asked for; its name carries the digest.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gatepost.errors import GatepostError

LOAD_SOURCE = Path(__file__).with_name("load.c")


class CompileError(GatepostError):
    """One line: what is missing or went wrong, and what to do."""


def cache_folder() -> Path:
    """Where compiled programs are kept, as the XDG Base Directory Specification says."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gatepost"


def load_generator() -> Path:
    """The load generator, compiled unless it is there already. Raises `CompileError`."""
    return compiled(LOAD_SOURCE, cache_folder())


def compiled(source: Path, folder: Path, flags: Sequence[str] = ("-lssl", "-lcrypto")) -> Path:
    """What `source` and the compiler's `flags` make, in `folder`. Raises `CompileError`."""
    digest = hashlib.sha256(source.read_bytes() + " ".join(flags).encode()).hexdigest()[:16]
    program = folder / f"{source.stem}-{digest}"
    if not program.exists():
        _compile(source, program, flags)
    return program


def _compile(source: Path, program: Path, flags: Sequence[str]) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise CompileError("no C compiler: install one (Debian: apt-get install gcc libc6-dev libssl-dev)")
    try:
        program.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=program.parent)
    except OSError as error:
        raise CompileError(
            f"{program.parent} cannot be written: {error.strerror}; name another XDG_CACHE_HOME"
        ) from None
    with folder as name:
        fresh = Path(name) / program.name
        command = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(fresh), str(source), *flags]
        done = subprocess.run(command, capture_output=True, text=True)
        if "openssl/" in done.stderr:
            raise CompileError("OpenSSL's headers are missing (Debian: apt-get install libssl-dev)")
        if done.returncode:
            raise CompileError(f"{source.name} does not compile: {(done.stderr.splitlines() or ['no output'])[0]}")
        # Whole or not at all: another process may be about to run it.
        fresh.replace(program)
