"""A Python that every user of this machine can run, with this program: as a home folder or a checkout of root is closed
to others, what lies there is copied."""

import os
import shutil
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path

import gatepost


def _is_open(path: Path) -> bool:
    """Whether every user reaches it."""
    path = path.resolve()
    return all(each.stat().st_mode & 0o001 for each in (path, *path.parents) if each.is_dir())


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _reached(path: Path, folder: Path, *left_out: str) -> Path:
    if _is_open(path):
        return path
    _copied(path, folder, "__pycache__", *left_out)
    return folder


def _copied(path: Path, folder: Path, *left_out: str) -> None:
    ignored = shutil.ignore_patterns(*left_out)
    shutil.copytree(path, folder, symlinks=True, copy_function=_linked, ignore=ignored, dirs_exist_ok=True)
    for each in (folder, *folder.rglob("*")):
        if each.is_dir():
            each.chmod(0o755)


def _bytecode(of: Path, prefix: Path, where: Path) -> None:
    """What was compiled of `of` is as good for the same files in `where`."""
    compiled = Path(sys.pycache_prefix or "/nowhere", *of.parts[1:])
    if compiled.is_dir():
        _copied(compiled, prefix.joinpath(*where.parts[1:]))


@cache
def python_for_everybody(folder: Path) -> tuple[Path, dict[str, str]]:
    """The interpreter, and what must be in its environment. `folder` must be one that every user reaches."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    base = ours = Path(sys.base_prefix)
    if not _is_open(base):
        (folder / "python" / "bin").mkdir(parents=True)
        _linked(os.path.realpath(base / "bin" / version), str(folder / "python" / "bin" / version))
        _reached(base / "lib", folder / "python" / "lib", "site-packages", "test", "config-*", "pkgconfig")
        base = folder / "python"
    installed, program_folder = Path(sysconfig.get_path("purelib")), Path(gatepost.__file__).parents[1]
    packages = _reached(installed, folder / "packages")
    source = _reached(program_folder, folder / "source")
    for of, where in ((ours / "lib", base / "lib"), (installed, packages), (program_folder, source)):
        _bytecode(of, folder / "bytecode", where)
    environment = {
        "PYTHONPATH": f"{source}:{packages}",
        "LD_LIBRARY_PATH": str(base / "lib"),
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
    }
    program = base / "bin" / version
    # What is left is compiled once and by us: who may not write here would do it again in each process.
    modules = ("api.application", "app.launcher", "app.worker", "app.supervisor", "cli.main")
    imports = "; ".join(f"import gatepost.{each}" for each in modules)
    subprocess.run([program, "-c", imports], env={**os.environ, **environment}, check=True)
    return program, environment
