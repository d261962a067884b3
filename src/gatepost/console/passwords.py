"""Passwords by argon2id, with the parameters that RFC 9106 recommends second (64 MiB).

Law: at most two are computed at once, so that guessing takes no memory from the relay.
"""

from threading import BoundedSemaphore

from argon2 import Parameters, PasswordHasher, profiles
from argon2.exceptions import InvalidHashError, VerificationError


class Argon2Passwords:
    def __init__(self, parameters: Parameters = profiles.RFC_9106_LOW_MEMORY) -> None:
        self._hasher = PasswordHasher.from_parameters(parameters)
        self._few = BoundedSemaphore(2)
        self._nobodys = self.hashed("of nobody")

    def hashed(self, password: str) -> str:
        with self._few:
            return self._hasher.hash(password.encode("utf-8", "surrogatepass"))

    def fits(self, hashed: str | None, password: str) -> bool:
        """None takes as long, and is False."""
        try:
            with self._few:
                self._hasher.verify(hashed or self._nobodys, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False
        return hashed is not None
