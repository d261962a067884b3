"""Real mail programs of Debian, each in a root of its own.

Debian's mail packages exclude one another, so none is installed: the package and what it depends on are downloaded,
unpacked into `build/peers/<peer>/`, and run in a mount namespace whose root lays the unpacked folder over the system's
`/usr` and `/etc`. There every hard-wired path and account is in place, and outside it nothing changes. The queue of a
peer (`/var` of its root) is an ordinary folder on the ordinary disk, so that what it costs there is what it costs.

Needs Debian (or a child of it) and root. What is missing ends in one line: `PeerError`.
"""

import contextlib
import functools
import os
import platform
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

BUILD = Path(__file__).resolve().parent.parent / "build"
PEERS = BUILD / "peers"


DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL")
"""Before a command: a check that is killed leaves no server behind."""


class PeerError(Exception):
    """One line: what is missing and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    packages: tuple[str, ...]
    accounts: tuple[str, ...] = ()
    """System accounts that the package's installation would make, each with a group of its name."""
    groups: tuple[str, ...] = ()
    programs: tuple[str, ...]
    """Looked through for missing shared libraries."""
    backported_for: tuple[str, ...] = ()
    """Releases of Debian whose own version will not do: there it is taken from their backports."""


KNOWN = {
    "postfix": Peer(
        packages=("postfix",),
        accounts=("postfix",),
        groups=("postdrop",),
        programs=("usr/lib/postfix/sbin/smtpd", "usr/lib/postfix/sbin/smtp", "usr/sbin/postconf"),
    ),
    "exim": Peer(packages=("exim4-daemon-light",), accounts=("Debian-exim",), programs=("usr/sbin/exim4",)),
    "opensmtpd": Peer(
        packages=("opensmtpd",),
        accounts=("opensmtpd", "opensmtpq"),
        programs=("usr/sbin/smtpd",),
        # 6.8 cannot sign under OpenSSL 3, so it presents no certificate (OpenSMTPD issues 1171 and 1239).
        backported_for=("bookworm",),
    ),
    "prometheus": Peer(packages=("prometheus",), programs=("usr/bin/promtool",)),
    "opendkim": Peer(packages=("opendkim",), accounts=("opendkim",), programs=("usr/sbin/opendkim",)),
    "dkimpy": Peer(packages=("python3-dkim", "python3-nacl"), programs=()),
    "rspamd": Peer(packages=("rspamd",), programs=("usr/bin/rspamd", "usr/bin/rspamc")),
    "knot": Peer(packages=("knot",), programs=("usr/sbin/knotd",)),
    "unbound": Peer(packages=("unbound",), programs=("usr/sbin/unbound",)),
    "swaks": Peer(packages=("swaks", "libnet-ssleay-perl"), programs=()),
}


@functools.cache
def unpacked(name: str) -> Path:
    """The folder with the peer's files; downloads and unpacks them the first time."""
    peer = KNOWN[name]
    folder = PEERS / name
    if not (folder / "complete").exists():
        _require_debian()
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "debs").mkdir(parents=True)
        options = _apt_options(peer)
        _download(_with_dependencies(peer.packages, options), folder / "debs", options)
        for deb in sorted((folder / "debs").glob("*.deb")):
            _run(["dpkg-deb", "-x", str(deb), str(folder / "files")])
        _merge_usr(folder / "files")
        _check_libraries(folder / "files", peer.programs)
        (folder / "complete").touch()
    return folder / "files"


def version(name: str) -> str:
    """The version of the peer's main package as Debian counts it."""
    unpacked(name)
    package = KNOWN[name].packages[0]
    deb = next((PEERS / name / "debs").glob(f"{package}_*.deb"))
    return _run(["dpkg-deb", "-f", str(deb), "Version"]).strip()


def _require_debian() -> None:
    for tool in ("apt-get", "apt-cache", "dpkg-deb", "setpriv", "unshare", "chroot"):
        if not shutil.which(tool):
            raise PeerError(f"{tool} is missing: real peers come from Debian's packages, run this on Debian")


def _apt_options(peer: Peer) -> list[str]:
    """None where the system's package lists serve; else lists of our own, so that the system's stay as they are."""
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    backports = release in peer.backported_for
    if not backports and all(_is_known(package) for package in peer.packages):
        return []
    sources, lists = PEERS / "apt" / "sources", PEERS / "apt" / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    sources.mkdir(exist_ok=True)
    for source in (Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*.*")):
        if source.exists():
            shutil.copy(source, sources)
    options = ["-o", f"Dir::State::Lists={lists}", "-o", "Dir::Etc::SourceList=/dev/null"]
    options += ["-o", f"Dir::Etc::SourceParts={sources}"]
    if backports:
        (sources / "backports.list").write_text(f"deb {_BACKPORTS} {release}-backports main\n")
        options += ["-t", f"{release}-backports"]
    _run(["apt-get", *options, *_AS_ROOT, "update"])
    return options


# apt's sandbox account cannot write here; as root it need not try.
_AS_ROOT = ("-o", "APT::Sandbox::User=root")
_BACKPORTS = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian"


def _is_known(package: str) -> bool:
    policy = _run(["apt-cache", "policy", package])
    return bool(policy) and "Candidate: (none)" not in policy


def _with_dependencies(packages: tuple[str, ...], options: list[str]) -> list[str]:
    """What an installation would bring here, without doing it."""
    plan = _run(["apt-get", *options, "--simulate", "--no-install-recommends", "install", *packages])
    brought = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    return list(dict.fromkeys([*packages, *brought]))


def _download(packages: list[str], folder: Path, options: list[str]) -> None:
    _run(["apt-get", *options, *_AS_ROOT, "download", *packages], cwd=folder)


def _merge_usr(files: Path) -> None:
    """Debian 12 still ships some files below `/lib`, which is `/usr/lib`."""
    for name in ("bin", "sbin", "lib", "lib64"):
        if (files / name).is_dir():
            shutil.copytree(files / name, files / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(files / name)


def _check_libraries(files: Path, programs: Iterable[str]) -> None:
    """Dependencies that are declared are there; this finds what a package forgot to declare."""
    libraries = sorted({str(found.parent) for found in files.glob("usr/lib/**/*.so*")})
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}
    for program in programs:
        needed = _run(["ldd", str(files / program)], env=environment)
        missing = [line.split()[0] for line in needed.splitlines() if "not found" in line]
        if missing:
            raise PeerError(f"{program}: shared libraries missing: {', '.join(missing)}: add their package to peers.py")


def _without(names: Collection[str], accounts: str) -> str:
    """Lines of passwd(5) or group(5) but those of `names`."""
    return "".join(line for line in accounts.splitlines(keepends=True) if line.partition(":")[0] not in names)


def _run(command: Sequence[str], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit status {done.returncode}"]
        raise PeerError(f"{shlex.join(command)}: {lines[-1]}")
    return done.stdout


class Room:
    """A root for one instance of a peer: its own `/etc`, `/var`, `/run` and `/tmp`, the system's `/usr` under the
    peer's. Folders in `shows` are seen inside under the same path."""

    def __init__(self, name: str, folder: Path, *, shows: Sequence[Path] = ()) -> None:
        if os.geteuid() != 0:
            raise PeerError(f"{name} needs a root of its own: run this as root")
        self.files = unpacked(name)
        self.root = folder / "root"
        self.etc = folder / "etc"
        self.var = self.root / "var"
        self._shows = [path.resolve() for path in shows]
        self._accounts: dict[str, int] = {}
        shutil.rmtree(folder, ignore_errors=True)
        for path in ("usr", "etc", "proc", "dev", "run", "var/log", "var/lib", "var/spool", "tmp"):
            (self.root / path).mkdir(parents=True)
        (self.root / "tmp").chmod(0o1777)
        (self.var / "run").symlink_to("../run")
        for path in ("bin", "sbin", "lib", "lib64"):
            if Path("/", path).is_symlink():
                (self.root / path).symlink_to(f"usr/{path}")
        for shown in self._shows:
            self._inside(shown).mkdir(parents=True, exist_ok=True)
        self.etc.mkdir()
        self._write_accounts(KNOWN[name])

    def write(self, path: str, text: str) -> None:
        """A file below `/etc`; before the peer starts."""
        target = self.etc / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def own(self, path: str, account: str, mode: int = 0o700) -> None:
        """A folder of the peer's account below its root."""
        target = self._inside(Path(path))
        target.mkdir(parents=True, exist_ok=True)
        target.chmod(mode)
        os.chown(target, self._accounts[account], self._accounts[account])

    def command(self, *argv: str) -> list[str]:
        """What runs `argv` inside, as the first process of a process namespace: when it ends, or we do, all end."""
        overlays = [f"{_escaped(self.files / 'usr')}:/usr", self._etc_layers()]
        mounts = [
            f"mount -t overlay overlay -o {shlex.quote('lowerdir=' + overlays[0])} {self._quoted('usr')}",
            f"mount -t overlay overlay -o {shlex.quote('lowerdir=' + overlays[1])} {self._quoted('etc')}",
            f"mount --rbind /proc {self._quoted('proc')}",
            f"mount --rbind /dev {self._quoted('dev')}",
            *(f"mount --rbind {shlex.quote(str(path))} {self._quoted(str(path))}" for path in self._shows),
        ]
        script = " && ".join([*mounts, f'exec chroot {shlex.quote(str(self.root))} "$@"'])
        apart = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child")
        return [*DIES_WITH_US, *apart, "sh", "-c", script, "sh", *argv]

    def run(self, *argv: str, stdin: bytes = b"", check: bool = True) -> str:
        done = subprocess.run(self.command(*argv), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = done.stdout.decode(errors="replace")
        if check and done.returncode:
            raise PeerError(f"{shlex.join(argv)}: {(text.strip().splitlines() or ['no output'])[-1]}")
        return text

    def start(self, *argv: str, output: Path) -> "subprocess.Popen[bytes]":
        # A session of its own: Postfix's master ends by a signal to its whole process group.
        with output.open("ab") as stream:
            return subprocess.Popen(
                self.command(*argv),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _inside(self, path: Path) -> Path:
        return self.root / str(path).lstrip("/")

    def _quoted(self, path: str) -> str:
        return shlex.quote(str(self._inside(Path(path))))

    def _etc_layers(self) -> str:
        layers = [self.etc, self.files / "etc", Path("/etc")]
        return ":".join(_escaped(layer) for layer in layers if layer.is_dir())

    def _write_accounts(self, peer: Peer) -> None:
        # Where the peer is installed on this machine too, its account there is another.
        own = {*peer.accounts, *peer.groups}
        passwd, group = (_without(own, Path("/etc", name).read_text()) for name in ("passwd", "group"))
        taken = {int(line.split(":")[2]) for line in (passwd + group).splitlines() if line.count(":") >= 3}
        free = iter(number for number in range(64200, 64300) if number not in taken)
        for name in (*peer.accounts, *peer.groups):
            number = self._accounts[name] = next(free)
            group += f"{name}:x:{number}:\n"
            if name in peer.accounts:
                passwd += f"{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n"
        self.write("passwd", passwd)
        self.write("group", group)


def _escaped(path: Path) -> str:
    """For the layers of an overlay, where colon and comma divide."""
    return str(path).replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def free_port() -> int:
    """A port nobody listens on now. Below the range that outgoing connections take theirs from."""
    for port in range(20000 + os.getpid() % 8000, 32000):
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise PeerError("no free TCP port between 20000 and 32000")


_given: set[int] = set()


def wait_for_greeting(port: int, process: "subprocess.Popen[bytes]", log: Path, seconds: float = 30.0) -> None:
    """Until an SMTP server greets at the port. If it does not, the error has the last line of its log."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise PeerError(f"{log}: ended with status {process.returncode}: {_last_line(log)}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                if connection.recv(512).startswith(b"220"):
                    connection.sendall(b"QUIT\r\n")
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise PeerError(f"{log}: no greeting at port {port} within {seconds:.0f} s: {_last_line(log)}")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "it said nothing"


def stop(process: "subprocess.Popen[bytes]", seconds: float = 10.0) -> None:
    """Ends a peer and all its processes: a room starts each in a session, so in a process group, of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
