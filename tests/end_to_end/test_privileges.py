"""Who serves, and who may look: real root, a real user without rights, and the files they leave."""

import fcntl
import grp
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.installation import PATIENCE_S, Installation, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.reachable import python_for_everybody
from end_to_end.scene import CONTOSO_ADDRESS, FABRIKAM_ADDRESS, MESSAGE
from end_to_end.smtp_client import SmtpClient
from sink import Sink

USER = "nobody"
_REACHABLE: list[tuple[Path, dict[str, str]]] = []

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that other users reach, as pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="gatepost-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module", autouse=True)
def python() -> Iterator[None]:
    """What the user without rights runs must be open to it."""
    folder = Path(tempfile.mkdtemp(prefix="gatepost-python-"))
    folder.chmod(0o755)
    _REACHABLE[:] = [python_for_everybody(folder)]
    yield
    shutil.rmtree(folder)


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Outside() as outside:
        yield outside.sink()


def _set_up(
    folder: Path, sink: Sink | None = None, settings: str = f'user = "{USER}"', *, workers: int = 1, api: bool = False
) -> Installation:
    python, environment = _REACHABLE[0]
    relay = Installation(
        folder, workers=workers, api=api, top_settings=settings, python=python, environment=dict(environment)
    )
    relay.init()
    for tenant, address in (("contoso", CONTOSO_ADDRESS), ("fabrikam", FABRIKAM_ADDRESS)):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        relay("inbound-connector", "add", tenant, "mail", "--address", address)
    if sink:
        relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{sink.port}")
    return relay


def _give(relay: Installation, user: str = USER) -> None:
    """As `gatepost init` tells root to do."""
    account = pwd.getpwnam(user)
    for path in (relay.data, *relay.data.rglob("*"), relay.folder / "server.key"):
        if path.exists():
            os.chown(path, account.pw_uid, account.pw_gid)


def _privileged_port() -> int:
    for port in range(1023, 600, -1):
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("every port below 1024 is taken")


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: " ".join(value.split()) for key, _, value in (line.partition(":") for line in lines)}


def _assert_without_rights(pids: list[int]) -> None:
    account = pwd.getpwnam(USER)
    for pid in pids:
        status = _status(pid)
        assert status["Uid"] == " ".join([str(account.pw_uid)] * 4)
        assert status["Gid"] == " ".join([str(account.pw_gid)] * 4)
        assert "0" not in status["Groups"].split()
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0


def _all_send(relay: Installation, sink: Sink, marker: str) -> None:
    for tenant, address in (("contoso", CONTOSO_ADDRESS), ("fabrikam", FABRIKAM_ADDRESS)):
        recipient = f"{marker}-{tenant}@outside.example"
        with SmtpClient(relay.port, source=address) as smtp:
            smtp.ehlo()
            assert smtp.message(f"ann@{tenant}.com", recipient, MESSAGE).code == 250
        taken(sink, to=recipient)


def _failed_start(relay: Installation, user: str | None = None) -> str:
    """The one line that `serve` said."""
    done = subprocess.run(
        relay._command("serve"),
        cwd=relay.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        user=user,
        env={**os.environ, **relay.environment},
    )
    assert done.returncode == 2
    [line] = [line for line in done.stderr.splitlines() if "is closed now" not in line]
    return line


def test_root_binds_the_ports_and_everything_else_is_done_by_the_user(folder: Path, sink: Sink) -> None:
    relay = _set_up(folder, sink, workers=2, api=True)
    relay.ports["main"] = _privileged_port()
    relay.write_config()
    _give(relay)
    with relay.serving():
        assert relay.process is not None
        children = relay.worker_pids()
        assert len(children) == 3, "two workers and the API"
        _assert_without_rights([relay.process.pid, *children])
        assert "root" not in relay.output
        _all_send(relay, sink, "before")
        relay.process.send_signal(signal.SIGHUP)
        relay.wait_for_output("reloaded: 2 workers were replaced")
        wait_until(lambda: set(children).isdisjoint(relay.worker_pids()), "the old processes to leave")
        _assert_without_rights([relay.process.pid, *relay.worker_pids()])
        _all_send(relay, sink, "after")
        owner = pwd.getpwnam(USER).pw_uid
        for path in relay.data.rglob("*"):
            assert path.stat().st_uid == owner, path
            assert not stat.S_IMODE(path.stat().st_mode) & 0o007, path


def test_without_a_data_folder_the_user_gets_one(folder: Path) -> None:
    relay = _set_up(folder, settings=f'user = "{USER}"\ngroup = "daemon"')
    shutil.rmtree(relay.data)
    _give(relay)
    with relay.serving():
        assert relay.data.stat().st_uid == pwd.getpwnam(USER).pw_uid
        assert relay.data.stat().st_gid == grp.getgrnam("daemon").gr_gid
        assert stat.S_IMODE(relay.data.stat().st_mode) == 0o750


def test_a_data_folder_of_root_is_refused_with_the_command(folder: Path) -> None:
    relay = _set_up(folder)
    assert _failed_start(relay).endswith(f"chown -R {USER}: {relay.data}")
    _give(relay)
    os.chown(relay.data / "directory.sqlite", 0, 0)
    line = _failed_start(relay)
    assert "directory.sqlite belongs to root" in line and line.endswith(f"chown -R {USER}: {relay.data}")


def test_root_touches_no_port_before_it_holds_the_data_folder(folder: Path) -> None:
    """Else a second start would take connections of the first, whose workers it takes for left behind."""
    relay = _set_up(folder)
    _give(relay)
    with socket.create_server(("127.0.0.1", 0)) as held, (relay.data / "serve.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _give(relay)
        relay.ports["main"] = held.getsockname()[1]
        relay.write_config()
        assert "is in use by another gatepost serve" in _failed_start(relay)


def test_root_follows_no_link_that_the_user_has_put_into_the_data_folder(folder: Path) -> None:
    relay = _set_up(folder)
    _give(relay)
    secret = folder / "of-root"
    secret.write_text("precious")
    secret.chmod(0o600)
    (relay.data / "serve.lock").unlink(missing_ok=True)
    (relay.data / "serve.lock").symlink_to(secret)
    assert "serve.lock" in _failed_start(relay)
    assert secret.read_text() == "precious"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ('user = "no-such-user"', "there is no such user; make it with: useradd --system no-such-user"),
        (f'user = "{USER}"\ngroup = "no-such-group"', "there is no such group"),
        ('group = "nogroup"', 'goes with user; add: user = "gatepost"'),
    ],
)
def test_a_wrong_user_is_one_line(folder: Path, settings: str, says: str) -> None:
    relay = _set_up(folder, settings="")
    relay.top_settings = settings
    relay.write_config()
    assert says in _failed_start(relay)


def test_only_root_can_become_another_user(folder: Path) -> None:
    relay = _set_up(folder, settings='user = "daemon"')
    _give(relay)
    assert "only root can become another user" in _failed_start(relay, user=USER)


def test_root_without_a_user_is_warned_in_one_line(folder: Path, sink: Sink) -> None:
    relay = _set_up(folder, sink, settings="")
    with relay.serving():
        assert relay.output.count("this runs as root") == 1
        assert f'set user = "gatepost", or another user, in {relay.config}' in relay.output
        _all_send(relay, sink, "root")


def test_a_data_folder_that_is_open_to_others_is_closed(folder: Path) -> None:
    relay = _set_up(folder, settings="")
    relay.data.chmod(0o755)
    (relay.data / "directory.sqlite").chmod(0o644)
    with relay.serving():
        assert stat.S_IMODE(relay.data.stat().st_mode) == 0o750
        assert stat.S_IMODE((relay.data / "directory.sqlite").stat().st_mode) == 0o640
        assert relay.output.count("was accessible to every user of this machine; now restricted") == 1


def test_an_open_data_folder_of_somebody_else_is_refused_with_the_command(folder: Path) -> None:
    relay = _set_up(folder, settings="")
    relay.data.chmod(0o777)
    for path in relay.data.rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o666)
    (relay.folder / "server.key").chmod(0o644)
    assert _failed_start(relay, user=USER).endswith(f"restrict it: chmod o-rwx {relay.data}")


def test_no_umask_opens_what_is_written(folder: Path) -> None:
    before = os.umask(0)
    try:
        relay = _set_up(folder, settings="")
        relay("export", "directory", str(folder / "export.jsonl"))
        with relay.serving():
            pass
    finally:
        os.umask(before)
    public = ("gatepost.toml", "server.pem", "serve.out")
    for path in [*folder.iterdir(), *relay.data.rglob("*")]:
        assert path.name in public or not stat.S_IMODE(path.stat().st_mode) & 0o007, path


def test_init_by_root_names_the_user(folder: Path) -> None:
    done = subprocess.run(
        Installation(folder)._command("init"), cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert 'set user = "gatepost"' in done.stderr and "chown -R gatepost:" in done.stderr
