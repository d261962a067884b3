"""What is looked at before anything starts, so that a mistake is one line now and not a riddle later."""

import fcntl
import os
import pwd
import resource
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from gatepost.admin.directory.send_connectors import domains_without_mailboxes
from gatepost.admin.forecast.forecast import ForecastItem
from gatepost.app import open_editor
from gatepost.app.alarming.secret import SecretError, read_secret
from gatepost.app.own_credentials import own
from gatepost.config import Config, HttpsLimits
from gatepost.errors import GatepostError
from gatepost.net.certificates import CredentialError, read_chain
from gatepost.net.credentials import load_credentials
from gatepost.queue.store import StoreError

_FILES_OF_A_WORKER = 500
"""Queue, directory, logs, contents on their way in and out."""

_FILES_OF_A_REQUEST = 8
"""Directory, queues, records."""


class StartError(GatepostError):
    """Why nothing was started, in one line."""


def check(config: Config) -> Iterator[str]:
    """Warnings, one line each. Raises `StartError` for what makes serving impossible."""
    _program_can_be_run()
    _folders(config)
    yield from _closed_to_others(config)
    _files_are_ours(config)
    yield from _configuration_for_reload(config)
    yield from _open_files(config)
    if not _any_send_connector(config):
        yield (
            "there is no send connector, so no mail can leave: add one with gatepost send-connector add internet "
            "--address-space '*'"
        )
    yield from _way_to_mailboxes(config)
    yield from _what_ends_soon(config)
    _alarms_can_be_signed(config)
    yield from _providers_without_secret(config)
    if config.tls is None:
        yield "no [tls] in the configuration: nobody can present a certificate; only addresses identify tenants"
        return
    for files in config.tls.certificates:
        try:
            credentials = load_credentials(files.certificate, files.key)
        except CredentialError as error:
            raise StartError(str(error)) from None
        yield from credentials.warnings
    for roots in filter(None, (config.tls.client_roots, config.tls.server_roots)):
        try:
            read_chain(roots)
        except CredentialError as error:
            raise StartError(str(error)) from None


def _open_files(config: Config) -> Iterator[str]:
    """Allow as many as the system lets us: shells begin low, for programs that could not count further. A session is
    one, and so is a connection outward; each worker has its own count."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sessions = sum(listener.limits.sessions for listener in config.listeners)
    needed = sessions + config.delivery.connections + _FILES_OF_A_WORKER
    if hard != resource.RLIM_INFINITY and hard < needed:
        yield (
            f"a worker may have {hard} files open, too few for the {sessions} sessions that its listeners allow: "
            f"set LimitNOFILE={needed} in the unit, or run ulimit -n {needed} before"
        )
    for name, face in (("Management API", config.api), ("console", config.console)):
        if face is not None:
            yield from _open_files_of(name, face.limits, hard)


def _open_files_of(face: str, limits: HttpsLimits, hard: int) -> Iterator[str]:
    connections = limits.connections + limits.operator_connections
    needed = connections + limits.requests * _FILES_OF_A_REQUEST + _FILES_OF_A_WORKER
    if hard != resource.RLIM_INFINITY and hard < needed:
        yield (
            f"the {face} may have {hard} files open, too few for its {connections} connections: set "
            f"LimitNOFILE={needed} in the unit, or lower connections in its limits"
        )


def _any_send_connector(config: Config) -> bool:
    try:
        editor = open_editor(config)
        try:
            return any(editor.all_send_connectors())
        finally:
            editor.close()
    except StoreError as error:
        raise StartError(str(error)) from None


def _is_for_start(prospect: ForecastItem) -> bool:
    """Of the server itself; a file of [tls] that cannot be read is not warned of: nothing starts with it."""
    return not prospect.tenant and (prospect.due_at is not None or prospect.connector != "")


def _what_ends_soon(config: Config) -> Iterator[str]:
    """The server's own certificates and tokens; of tenants' `forecast` tells."""
    try:
        editor = open_editor(config)
        try:
            found = [each for each in own(config, editor, datetime.now(UTC)) if _is_for_start(each)]
        finally:
            editor.close()
    except StoreError as error:
        raise StartError(str(error)) from None
    yield from (f"{each.says}; {each.do}" for each in found)


def _way_to_mailboxes(config: Config) -> Iterator[str]:
    """A server that hands all mail to one relay, and no other way for its own domains: a notice that the relay refused
    a message takes the way of the message."""
    try:
        editor = open_editor(config)
        try:
            domains, relay = domains_without_mailboxes(editor, most=4)
        finally:
            editor.close()
    except StoreError as error:
        raise StartError(str(error)) from None
    if domains and relay:
        named = ", ".join(domains[:3]) + (" and others" if len(domains) > 3 else "")
        yield (
            f"no send connector leads to the mailboxes of {named}: a notice to a user there leaves by send connector "
            f"{relay}, and is lost when its smart host refuses it; add: gatepost send-connector add mailboxes "
            f"--address-space {domains[0]} --smart-host HOST"
        )


def _alarms_can_be_signed(config: Config) -> None:
    if config.alarm and config.alarm.webhook:
        try:
            read_secret(config.alarm)
            if config.alarm.roots:
                read_chain(config.alarm.roots)
        except (SecretError, CredentialError) as error:
            raise StartError(str(error)) from None


def _providers_without_secret(config: Config) -> Iterator[str]:
    """People still sign in by other ways, so this stops nothing."""
    for provider in config.console.providers if config.console else ():
        file = provider.client_secret_file
        if file is not None and not os.access(file, os.R_OK):
            yield (
                f"nobody can sign in to the console with {provider.name}: its client_secret_file {file} cannot be read "
                f"by {_name_of(os.geteuid())}, who serves"
            )


def _folders(config: Config) -> None:
    for folder in config.folders:
        try:
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            raise StartError(f"data folder {folder} cannot be made: {error.strerror}") from None
        if not os.access(folder, os.W_OK | os.X_OK):
            user = _name_of(os.geteuid())
            raise StartError(
                f"data folder {folder} is not writable for {user}, who serves: chown -R {user}: {config.data}"
            )


def _closed_to_others(config: Config) -> Iterator[str]:
    """It holds mail, connectors and what tokens are checked against: no other user of the machine looks into it."""
    for path in (config.data, *sorted(config.data.glob("*.sqlite*"))):
        mode = path.stat().st_mode & 0o777
        if not mode & 0o007:
            continue
        try:
            path.chmod(mode & ~0o007)
        except OSError:
            raise StartError(
                f"{path} is accessible to every user of this machine; restrict it: chmod o-rwx {path}"
            ) from None
        if path == config.data:
            yield f"{path} was accessible to every user of this machine; now restricted (mode {mode & ~0o007:04o})"


def _files_are_ours(config: Config) -> None:
    """What a run as root, or a command by another user, left is told before a worker trips over it."""
    for folder in (config.data, config.queue_folder):
        for path in sorted(folder.iterdir()):
            if not os.access(path, os.R_OK | os.W_OK):
                user = _name_of(os.geteuid())
                raise StartError(
                    f"{path} belongs to {_name_of(path.stat().st_uid)} and cannot be written by {user}, who serves: "
                    f"chown -R {user}: {config.data}"
                )


def _configuration_for_reload(config: Config) -> Iterator[str]:
    if not os.access(config.file, os.R_OK):
        user = _name_of(os.geteuid())
        yield f"{config.file} cannot be read by {user}, so a reload will change nothing: chgrp {user} {config.file}"


def _program_can_be_run() -> None:
    if not os.access(sys.executable, os.X_OK):
        raise StartError(
            f"{_name_of(os.geteuid())} cannot run {sys.executable}, which starts the workers: install Gatepost where "
            "this user reaches it, such as /opt/gatepost"
        )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def data_lock(config: Config) -> int:
    """Hold the data folder for this server; the descriptor is the lock. Raises `StartError` when it is taken."""
    file = config.data / "serve.lock"
    lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(lock, 20).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise StartError(
            f"data folder {config.data} is in use by another gatepost serve (process {holder}); stop that one, or give "
            f"this one a data folder of its own in {config.file}"
        ) from None
    os.truncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    return lock
