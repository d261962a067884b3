"""Every reply of acceptance. Refusals by attribution are worded in `tenancy.refusal`, syntax in `smtp.replies`."""

from datetime import UTC, datetime
from math import ceil

from gatepost.mail.reply import LONGEST_REPLY_LINE, Reply, reply


def greeting(hostname: str) -> Reply:
    """RFC 5321 4.2: the greeting begins with the server's name."""
    return reply(220, None, f"{hostname} ESMTP Gatepost")


SENDER_OK = reply(250, "1.0", "Sender OK")
RECIPIENT_OK = reply(250, "1.5", "Recipient OK")


def queued(queue_id: str) -> Reply:
    return reply(250, "6.0", f"{queue_id} Queued mail for delivery")


# RFC 3207 4: the reply of a server that demands TLS.
STARTTLS_FIRST = reply(530, "7.0", "tls-required Must issue a STARTTLS command first")

# RFC 5321 6.3: loops are stopped by counting trace fields.
TOO_MANY_HOPS = reply(554, "4.6", "too-many-hops Too many Received headers; this looks like a mail loop")

SESSIONS_FULL = reply(421, "3.2", "sessions-full Too many concurrent sessions; try again later")
TOO_MANY_FROM_ADDRESS = reply(
    421, "7.0", "sessions-per-address Too many concurrent sessions from your address; try again later"
)
TOO_MANY_FROM_NETWORK = reply(
    421, "7.0", "sessions-per-network Too many concurrent sessions from your network; try again later"
)
TOO_MANY_IN_A_MINUTE = reply(
    421, "7.0", "sessions-per-minute Connection rate limit exceeded for your network; try again in a minute"
)
TOO_MANY_REFUSALS = reply(
    421, "7.0", "refusals Too many rejected commands, closing connection; check the earlier replies before you retry"
)
REFUSED_TOO_OFTEN = reply(
    421,
    "7.0",
    "refusals-per-minute Too many rejected commands from your network; check the earlier replies before you retry",
)

NO_STORE = reply(421, "3.0", "store-unavailable Cannot accept mail right now; try again later")
STORE_BUSY = reply(452, "3.1", "store-busy Server overloaded; try again in a minute")


def store_unavailable(session_id: str) -> Reply:
    """The peer learns only that we cannot keep its mail now; the log has the cause."""
    return reply(
        451,
        "3.0",
        f"store-unavailable Message could not be stored and was not accepted; try again later [{session_id}]",
    )


def attribution_changed(session_id: str) -> Reply:
    """Not a final refusal: at the next attempt RCPT says what is missing, recipient by recipient."""
    return reply(
        451, "7.1", f"attribution-changed The relay's configuration changed meanwhile; try again later [{session_id}]"
    )


CONTENT_FULL = reply(452, "3.1", "content-full Too much message data in transfer; try again later")
QUEUE_FULL = reply(452, "3.1", "queue-full The queue is full; try again later")


def tenant_over_limit(says: str, after: float, now: float, session_id: str) -> Reply:
    """RFC 5321 4.2.1: 4yz, the same may be asked again; and from when on."""
    at = datetime.fromtimestamp(after, UTC)
    wait = max(1, ceil(after - now))
    return reply(450, "7.1", f"tenant-over-limit {says}; retry after {at:%H:%M:%SZ} ({wait} s) [{session_id}]")


def tenant_message_too_large(most: int, session_id: str) -> Reply:
    """RFC 1870 6: the message exceeds what this client may send."""
    return reply(552, "3.4", f"tenant-message-too-large Message exceeds the limit of {most} bytes [{session_id}]")


# One-time addresses of this server: rehearsals and enrolments.


def rehearsal_seen(session_id: str) -> Reply:
    return reply(554, "7.1", f"rehearsal-seen Rehearsal recorded; no message is accepted [{session_id}]")


def enrolled(session_id: str) -> Reply:
    """RFC 5321 4.2.5: we are the recipient, and what the message was sent for is on stable storage."""
    return reply(250, "6.0", f"enrolment-recorded Enrolment recorded; the message is discarded [{session_id}]")


ENROLMENT_ALONE = reply(
    452, "5.3", "enrolment-alone An enrolment address must be the only recipient; send a separate message"
)


def enrolment_refused(code: str, says: str, session_id: str) -> Reply:
    """One line, whatever the peer wrote into its EHLO name and its certificate."""
    plain = "".join(letter if " " <= letter <= "~" and letter not in "[]" else "?" for letter in says)
    room = LONGEST_REPLY_LINE - len(f"550 5.7.1 {code}  [{session_id}]\r\n")
    return reply(550, "7.1", f"{code} {plain[:room]} [{session_id}]")


ONE_TIME_ADDRESS = reply(550, "1.1", "one-time-address Unknown, used or expired one-time address")
