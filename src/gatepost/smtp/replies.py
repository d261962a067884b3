"""Every reply the server machine gives by itself, named.

The class digit of an enhanced status code comes from the reply code (`mail.reply`); details are those of RFC 3463 and
the IANA registry it founded. Greeting, EHLO, HELO and 354 carry none (RFC 2034 3).
"""

from functools import lru_cache
from typing import Final

from gatepost.mail.reply import Reply, reply
from gatepost.smtp.server_settings import ServerSettings

# --- session -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def helo(hostname: str) -> Reply:
    return reply(250, None, f"{hostname} at your service")


@lru_cache(maxsize=64)
def ehlo(settings: ServerSettings, offer_starttls: bool) -> Reply:
    """RFC 5321 4.1.1.1: our name, then one keyword a line."""
    return reply(
        250,
        None,
        f"{settings.hostname} at your service",
        "PIPELINING",  # RFC 2920
        f"SIZE {settings.largest_message}",  # RFC 1870
        "DSN",  # RFC 3461
        "ENHANCEDSTATUSCODES",  # RFC 2034
        *(["STARTTLS"] if offer_starttls else []),  # RFC 3207
        "8BITMIME",  # RFC 6152
        "BINARYMIME",  # RFC 3030
        "CHUNKING",  # RFC 3030
        "SMTPUTF8",  # RFC 6531
        f"LIMITS RCPTMAX={settings.most_recipients} MAILMAX={settings.most_transactions}",  # RFC 9422
    )


@lru_cache(maxsize=64)
def goodbye(hostname: str) -> Reply:
    return reply(221, "0.0", f"{hostname} closing the connection")


READY_FOR_TLS: Final = reply(220, "0.0", "Ready to start TLS")
TLS_NOT_AVAILABLE: Final = reply(454, "7.0", "TLS is not available")
TLS_ALREADY: Final = reply(503, "5.1", "TLS is already in use")

SHUTTING_DOWN: Final = reply(421, "3.2", "Server shutting down, try again later")
TIMED_OUT: Final = reply(421, "4.2", "Timeout waiting for client input, closing connection")
TOO_MANY_ERRORS: Final = reply(421, "7.0", "Too many errors, closing connection")
TOO_MANY_IDLE_COMMANDS: Final = reply(421, "7.0", "Too many commands without sending mail, closing connection")
TOO_MANY_TRANSACTIONS: Final = reply(421, "7.0", "Too many mail transactions in one session; reconnect to send more")
BARE_LINE_END_CLOSES: Final = reply(421, "7.0", "Bare CR or LF in message content is not allowed, closing connection")
NUL_CLOSES: Final = reply(421, "7.0", "NUL in message content is not allowed, closing connection")
TOO_SLOW: Final = reply(421, "4.2", "Message content arrives too slowly, closing connection")
TURNED_AWAY: Final = reply(503, "5.1", "Session refused; only QUIT is accepted")

# --- command lines -----------------------------------------------------------------------------------------------

LINE_TOO_LONG: Final = reply(500, "5.2", "Command line too long")
LINE_END_NOT_CRLF: Final = reply(500, "5.2", "Commands must end with CRLF and contain no other CR or LF")
NOT_UTF8: Final = reply(500, "5.2", "Command is neither ASCII nor UTF-8")
EMPTY_COMMAND: Final = reply(500, "5.2", "Empty command line")
UNKNOWN_COMMAND: Final = reply(500, "5.1", "Unknown command; HELP lists the supported ones")
NO_HTTP: Final = reply(500, "5.1", "This is SMTP, not HTTP")
NOT_IMPLEMENTED: Final = reply(502, "5.1", "Command not implemented")
AUTH_NOT_OFFERED: Final = reply(502, "5.1", "AUTH is not offered; senders are identified by TLS certificate or address")

OK: Final = reply(250, "0.0", "OK")
RESET: Final = reply(250, "0.0", "Reset OK")
HELP: Final = reply(
    214, "0.0", "EHLO HELO STARTTLS MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT", "See RFC 5321 for what they do"
)
CANNOT_VERIFY: Final = reply(252, "0.0", "Cannot VRFY user, but will accept message and attempt delivery")

NAME_EXPECTED: Final = reply(501, "5.4", "Syntax: EHLO hostname or address literal")
NO_ARGUMENT_ALLOWED: Final = reply(501, "5.4", "Command takes no argument")
MAILBOX_EXPECTED: Final = reply(501, "5.4", "Syntax: VRFY user or mailbox")

EHLO_FIRST: Final = reply(503, "5.1", "Send EHLO first")
MAIL_FIRST: Final = reply(503, "5.1", "Need MAIL command")
RCPT_FIRST: Final = reply(503, "5.1", "Need RCPT command")
MAIL_ALREADY: Final = reply(503, "5.1", "Mail transaction already open; use RSET to cancel it")
CONTENT_BEGUN: Final = reply(503, "5.1", "BDAT in progress; only BDAT or RSET is accepted")
BINARY_NEEDS_BDAT: Final = reply(503, "5.1", "BODY=BINARYMIME requires BDAT")

# --- envelope ----------------------------------------------------------------------------------------------------

MAIL_SYNTAX: Final = reply(501, "5.4", "Syntax: MAIL FROM:<user@example.com>")
RCPT_SYNTAX: Final = reply(501, "5.4", "Syntax: RCPT TO:<user@example.com>")


def bad_reverse_path(says: str) -> Reply:
    return reply(501, "1.7", f"Reverse-path: {says}")


def bad_forward_path(says: str) -> Reply:
    return reply(501, "1.3", f"Forward-path: {says}")


# RFC 6531 3.5: 553 for an address that needs SMTPUTF8 where the transaction has none.
NEEDS_SMTPUTF8: Final = reply(553, "6.7", "Non-ASCII address requires SMTPUTF8")


def unknown_parameter(keyword: str) -> Reply:
    """`keyword` has the form of an esmtp-keyword, so it is safe to say back."""
    return reply(555, "5.4", f"Parameter {keyword} is not supported")


def bad_parameter(says: str) -> Reply:
    return reply(501, "5.4", says)


TOO_MANY_RECIPIENTS: Final = reply(452, "5.3", "Too many recipients; send the rest in another transaction")
NO_VALID_RECIPIENTS: Final = reply(554, "5.1", "No valid recipients")

# --- content -----------------------------------------------------------------------------------------------------

SEND_CONTENT: Final = reply(354, None, "Start mail input; end with <CRLF>.<CRLF>")
CHUNK_TAKEN: Final = reply(250, "0.0", "Chunk OK")
CHUNK_SIZE_EXPECTED: Final = reply(501, "5.4", "Syntax: BDAT size [LAST]; closing connection")
TOO_LARGE: Final = reply(552, "3.4", "Message exceeds the size limit")
BARE_LINE_END: Final = reply(550, "6.0", "Message content contains a bare CR or LF; lines must end with CRLF")
# RFC 2045 2.7, 2.8: neither 7bit nor 8bit data holds a NUL. A host that drops it sees another end of the content.
NUL: Final = reply(550, "6.0", "Message content contains a NUL; encode it or send it with BODY=BINARYMIME")
