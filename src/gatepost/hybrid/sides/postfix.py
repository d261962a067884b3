"""Postfix on this machine as a side of the wizard: read and changed with `postconf`, backed up before each change.

Law: taking a change back puts the very octets of the file back, unless somebody has edited the file since; then only
what the change said is taken back.
"""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from gatepost.hybrid import postfix
from gatepost.hybrid.apply import same
from gatepost.hybrid.errors import ApplyError
from gatepost.hybrid.journal import private_folder
from gatepost.hybrid.merge import Fields
from gatepost.hybrid.plan import Change, Objects
from gatepost.hybrid.ports import Done, RunProgram


class PostfixSide:
    def __init__(self, run: RunProgram, config_directory: Path | None, backups: Path) -> None:
        self._run = run
        self._where = ["-c", str(config_directory)] if config_directory else []
        self._backups = backups

    @property
    def hostname(self) -> str:
        return self._postconf("-h", "myhostname").strip()

    def set_parameters(self) -> dict[str, str]:
        """Those that main.cf sets."""
        return postfix.parameters(self._postconf("-n"))

    def everything(self) -> dict[str, Fields]:
        return postfix.observed(self.set_parameters(), postfix.services(self._postconf("-M")))

    def read(self, names: Iterable[str]) -> Objects:
        everything = self.everything()
        return {name: everything.get(name) for name in names}

    def write(self, change: Change) -> None:
        if not same(self.read([change.object])[change.object], change.before):
            raise ApplyError(
                f"{change.object} of Postfix was changed by somebody else just now; look at it, then make a new plan: "
                "gatepost hybrid plan --postfix"
            )
        file = self._file(change)
        if not self._put_back(change, file):
            self._change(change, file)
        self._reload()

    def _change(self, change: Change, file: Path) -> None:
        before, after = self._backup(change)
        before.write_bytes(file.read_bytes())
        for arguments in postfix.commands(change):
            self._postconf(*arguments)
        after.write_text(_digest(file))

    def _put_back(self, change: Change, file: Path) -> bool:
        """Whether the octets from before this very change could be put back."""
        before, after = self._backup(change)
        if not (before.exists() and after.exists()) or after.read_text() != _digest(file):
            return False
        content = before.read_bytes()
        new = file.with_name(f".{file.name}.gatepost")
        new.write_bytes(content)
        new.chmod(file.stat().st_mode & 0o7777)
        new.replace(file)
        before.unlink()
        after.unlink()
        return True

    def _backup(self, change: Change) -> tuple[Path, Path]:
        private_folder(self._backups)
        name = f"{change.order:03d}-{self._file(change).name}"
        return self._backups / name, self._backups / f"{name}.after"

    def _file(self, change: Change) -> Path:
        folder = self._where[1] if self._where else self._postconf("-h", "config_directory").strip()
        return Path(folder) / change.object.partition(" ")[0]

    def _reload(self) -> None:
        """A Postfix that does not run reads its files when it starts."""
        if self._run("postfix", *self._where, "status").exit_code == 0:
            done = self._run("postfix", *self._where, "reload")
            if done.exit_code:
                raise ApplyError(f"postfix reload: {_last_line(done)}; reload it by hand, then go on")

    def _postconf(self, *arguments: str) -> str:
        done = self._run("postconf", *self._where, *arguments)
        if done.exit_code:
            raise ApplyError(f"postconf {' '.join(arguments)}: {_last_line(done)}")
        return done.output


def _digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def _last_line(done: Done) -> str:
    return (done.errors.strip().splitlines() or [f"exit code {done.exit_code}"])[-1]
