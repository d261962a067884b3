"""Every number and offer of the server machine. The defaults obey the minimum limits of RFC 5321 4.5.3."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    hostname: str
    offers_starttls: bool = True
    largest_message: int = 150 * 1024 * 1024
    """Octets; announced by SIZE (RFC 1870). Exchange Online announces the same 157286400."""
    most_recipients: int = 1000
    """In one transaction. RFC 5321 4.5.3.1.8 asks for 100 at least."""
    most_transactions: int = 1000
    """In one session."""
    most_errors: int = 10
    """Refused or malformed commands before 421 and close."""
    most_idle_commands: int = 1000
    """EHLO, NOOP, RSET and the like without a message that is taken, before 421 and close."""
    smallest_free_chunk: int = 256
    """A BDAT chunk of fewer octets, which is not the last, counts as a command without mail."""
    most_commands_per_turn: int | None = None
    """Commands and chunks that are worked off before the machine waits for `go_on`, so that its carrier can give others
    a turn. None: all that came. The replies do not depend on it."""
    irregular_paths: bool = False
    """Whether a path that others take, but the grammar does not, is put to the carrier instead of being refused."""
    longest_command: int = 4096
    """Octets with CRLF. RFC 5321 4.5.3.1.4 asks for 512; SMTPUTF8, DSN and the like add to MAIL and RCPT."""
    command_timeout_s: float = 300.0
    """RFC 5321 4.5.3.2.7: at least five minutes."""
    content_timeout_s: float = 180.0
    """Silence within content; RFC 5321 4.5.3.2.5 has three minutes for the client's side."""
