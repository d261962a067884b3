"""The secret that webhooks are signed with: of a file that only its owner can read, or of the environment.

Law: the secret is in no message, log or list.
"""

import os
from typing import Final

from gatepost.config import AlarmConfig
from gatepost.errors import GatepostError

VARIABLE: Final = "GATEPOST_ALARM_SECRET"
_SHORTEST: Final = 16
_LONGEST: Final = 4096


class SecretError(GatepostError):
    """Why there is no usable secret, in one line."""


def read_secret(alarm: AlarmConfig) -> bytes:
    """Raises `SecretError`. Blanks at either end do not count."""
    if alarm.secret_file is None:
        secret, where = os.environ.get(VARIABLE, "").encode(), f"${VARIABLE}"
        if not secret:
            raise SecretError(f"the webhook has no secret: set secret_file in [alarm], or {where}")
    else:
        secret, where = _of_file(alarm), f"secret file {alarm.secret_file}"
    secret = secret.strip()
    if len(secret) < _SHORTEST:
        raise SecretError(f"{where} is too short: at least {_SHORTEST} bytes, such as openssl rand -hex 32 prints")
    return secret


def _of_file(alarm: AlarmConfig) -> bytes:
    assert alarm.secret_file is not None
    try:
        with alarm.secret_file.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            octets = file.read(_LONGEST)
    except OSError as error:
        raise SecretError(f"secret file {alarm.secret_file} cannot be read: {error.strerror}") from None
    if mode & 0o077:
        file_name = alarm.secret_file
        raise SecretError(
            f"secret file {file_name} is accessible to others: make a new secret, and chmod 600 {file_name}"
        )
    return octets
