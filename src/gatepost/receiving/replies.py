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
TOO_MANY_HOPS = reply(554, "4.6", "too-many-hops The message has passed too many servers; this looks like a mail loop")

SESSIONS_FULL = reply(421, "3.2", "sessions-full This server serves as many sessions as it can; come back later")
TOO_MANY_FROM_ADDRESS = reply(421, "7.0", "sessions-per-address Too many sessions from your address; close some first")
TOO_MANY_FROM_NETWORK = reply(421, "7.0", "sessions-per-network Too many sessions from your network; close some first")
TOO_MANY_IN_A_MINUTE = reply(
    421, "7.0", "sessions-per-minute Too many sessions from your network in this minute; come back in the next"
)
TOO_MANY_REFUSALS = reply(
    421, "7.0", "refusals Too much of this session was refused, closing the connection; read the refusals, then retry"
)
REFUSED_TOO_OFTEN = reply(
    421, "7.0", "refusals-per-minute Too much from your side was refused in this minute; read why, then retry"
)

NO_STORE = reply(421, "3.0", "store-unavailable Mail cannot be kept here at present; come back later")
STORE_BUSY = reply(452, "3.1", "store-busy Mail comes in faster than it can be stored; come back in a minute")


def store_unavailable(session_id: str) -> Reply:
    """The peer learns only that we cannot keep its mail now; the log has the cause."""
    return reply(451, "3.0", f"store-unavailable The message could not be stored; nothing was lost [{session_id}]")


CONTENT_FULL = reply(452, "3.1", "content-full There is no room for so much unfinished content; come back later")
QUEUE_FULL = reply(452, "3.1", "queue-full There is no room for more mail at present; come back later")


def tenant_over_limit(says: str, after: float, now: float, session_id: str) -> Reply:
    """RFC 5321 4.2.1: 4yz, the same may be asked again; and from when on."""
    at = datetime.fromtimestamp(after, UTC)
    wait = max(1, ceil(after - now))
    return reply(450, "7.1", f"tenant-over-limit {says}; come back in {wait} s, after {at:%H:%M:%SZ} [{session_id}]")


def tenant_message_too_large(most: int, session_id: str) -> Reply:
    """RFC 1870 6: the message exceeds what this client may send."""
    return reply(552, "3.4", f"tenant-message-too-large More than the {most} octets allowed here [{session_id}]")


# One-time addresses of this server: rehearsals and enrolments.


def rehearsal_seen(session_id: str) -> Reply:
    return reply(554, "7.1", f"rehearsal-seen This session was recorded; a rehearsal accepts no content [{session_id}]")


def enrolled(session_id: str) -> Reply:
    """RFC 5321 4.2.5: we are the recipient, and what the message was sent for is on stable storage."""
    return reply(250, "6.0", f"enrolment-recorded This server was seen; the message goes no further [{session_id}]")


ENROLMENT_ALONE = reply(
    452, "5.3", "enrolment-alone An enrolment address takes a message of its own; send it separately"
)


def enrolment_refused(code: str, says: str, session_id: str) -> Reply:
    """One line, whatever the peer wrote into its EHLO name and its certificate."""
    plain = "".join(letter if " " <= letter <= "~" and letter not in "[]" else "?" for letter in says)
    room = LONGEST_REPLY_LINE - len(f"550 5.7.1 {code}  [{session_id}]\r\n")
    return reply(550, "7.1", f"{code} {plain[:room]} [{session_id}]")


ONE_TIME_ADDRESS = reply(550, "1.1", "one-time-address This one-time address is not known, was used, or has expired")
