"""Who `gatepost serve` is: as root it binds its ports, then becomes the user of the configuration for good.

What it looks at and makes before that in the data folder, it does as that user already.

Laws: not an octet from the network is read as root where a user is set; the way back to root is closed, for the
supervisor and whatever it starts.
"""

import grp
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gatepost.app.start_checks import StartError
from gatepost.config import Config

UMASK = 0o027
"""What `serve` writes is for its user and group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user of this machine, and the group to serve with."""

    name: str
    uid: int
    gid: int
    home: str


def account_to_become(config: Config) -> Account | None:
    """None: this process stays who it is. Raises `StartError` where it cannot become who it should."""
    if config.user is None:
        return None
    account = _account(config, config.user)
    if os.geteuid() == account.uid:
        return None
    if os.geteuid() != 0:
        raise StartError(
            f'user = "{config.user}" in {config.file}: only root can become another user; start as root, or as '
            f"{config.user}"
        )
    return account


def warning_for_root(config: Config) -> str | None:
    if os.geteuid() != 0 or config.user is not None:
        return None
    return f'this runs as root, and so do its workers: set user = "gatepost", or another user, in {config.file}'


def make_data_folder(config: Config, account: Account) -> None:
    """As root, where there is none yet: the user may not write beside it."""
    try:
        config.data.mkdir(mode=0o750)
    except FileExistsError:
        return
    except OSError as error:
        raise StartError(f"data folder {config.data} cannot be made: {error.strerror}") from None
    os.chown(config.data, account.uid, account.gid, follow_symlinks=False)


@contextmanager
def acting_as(account: Account | None) -> Iterator[None]:
    """For a moment, so that what is looked at and made is what the user may look at and make: root follows no link
    that the user has put there. None: nobody else."""
    if account is None:
        yield
        return
    groups = os.getgroups()
    os.initgroups(account.name, account.gid)
    os.setresgid(account.gid, account.gid, 0)
    os.setresuid(account.uid, account.uid, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(groups)


def become(account: Account) -> None:
    """For good: real, effective and saved ids change, so that nothing can change them back."""
    os.initgroups(account.name, account.gid)
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    os.environ.update(USER=account.name, LOGNAME=account.name, HOME=account.home)


def _account(config: Config, name: str) -> Account:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise StartError(
            f'user = "{name}" in {config.file}: there is no such user; make it with: useradd --system {name}'
        ) from None
    gid = found.pw_gid
    if config.group is not None:
        try:
            gid = grp.getgrnam(config.group).gr_gid
        except KeyError:
            raise StartError(f'group = "{config.group}" in {config.file}: there is no such group') from None
    return Account(name=name, uid=found.pw_uid, gid=gid, home=found.pw_dir)
