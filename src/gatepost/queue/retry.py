"""When a deferred recipient is tried again, when the sender is told of the delay, and when it is given up.

The numbers are Exchange's (Set-TransportService): a connection glitch is retried after 1 minute up to 4 times, any
transient failure after 5 minutes up to 6 times, then every 15 minutes; given up after 2 days, told of after 4 hours.
"""

from dataclasses import dataclass

from gatepost.queue.outcome import Deferred, Failed, Rescheduled

MINUTE = 60.0
HOUR = 3600.0
DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings:
    glitch_count: int = 4
    glitch_interval_s: float = 1 * MINUTE
    transient_count: int = 6
    transient_interval_s: float = 5 * MINUTE
    interval_s: float = 15 * MINUTE
    expiry_s: float = 2 * DAY
    delay_notice_s: float = 4 * HOUR
    hold_refused_s: float = 4 * HOUR
    """How old mail may be that our own relay refuses, because it does not recognise this server, and is kept."""

    @property
    def longest_pause_s(self) -> float:
        return max(self.glitch_interval_s, self.transient_interval_s, self.interval_s)


# RFC 3463 3.5: "delivery time expired". Class 4 even in a failure: nobody refused for good.
EXPIRED = "4.4.7"


def decide(
    outcome: Deferred, received_at: float, now: float, settings: RetrySettings, not_before: float = 0.0
) -> Rescheduled | Failed:
    """What follows from a deferral. A delay notice is due where the result is `delay_notified` and the recipient was
    not. `not_before`: the next hop is left alone until then."""
    if outcome.refusal and now - received_at >= settings.hold_refused_s:
        return outcome.refusal
    if now - received_at >= settings.expiry_s:
        return _expired(outcome, settings)
    recipient = outcome.recipient
    return Rescheduled(
        recipient=recipient,
        due_at=max(now + pause(recipient.attempts, outcome.glitch, settings), not_before),
        reply=str(outcome.reply) if outcome.reply else outcome.why,
        delay_notified=recipient.delay_notified or now - received_at >= settings.delay_notice_s,
    )


def pause(attempts: int, glitch: bool, settings: RetrySettings) -> float:
    """Seconds until the attempt after this one; `attempts` counts the ones before it."""
    if glitch:
        if attempts < settings.glitch_count:
            return settings.glitch_interval_s
        attempts -= settings.glitch_count
    return settings.transient_interval_s if attempts < settings.transient_count else settings.interval_s


def _expired(outcome: Deferred, settings: RetrySettings) -> Failed:
    gave_up = f"gave up after {_duration(settings.expiry_s)}: "
    return Failed(
        recipient=outcome.recipient,
        why=gave_up + outcome.why,
        told=gave_up + outcome.why_told,
        discreet=outcome.discreet,
        status=EXPIRED,
        reply=outcome.reply,
        host=outcome.host,
        tls=outcome.tls,
        took_s=outcome.took_s,
    )


def _duration(seconds: float) -> str:
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if seconds >= unit:
            count = seconds / unit
            return f"{count:g} {name}{'' if count == 1 else 's'}"
    return f"{seconds:g} seconds"
