"""An alarm as it is told: one JSON object for a webhook, paragraphs for a mail."""

import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from gatepost.alarm.alarms import AlarmState, Notification
from gatepost.mail.visible import visible_json
from gatepost.tenancy.fields import time_text

TEST: Final = "test"
SIGNATURE_HEADER: Final = "Gatepost-Signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is told of one alarm. Whoever hears it twice knows it by its id."""

    id: str
    state: str
    code: str
    about: str
    since: float
    at: float
    says: str
    do: str
    is_reminder: bool = False

    @property
    def is_over(self) -> bool:
        return self.state == AlarmState.RESOLVED


def told_of(notification: Notification, id: str) -> Told:
    alarm = notification.alarm
    return Told(
        id=id,
        state=alarm.state.value,
        code=alarm.code,
        about=alarm.about,
        since=alarm.since,
        at=notification.at,
        says=alarm.says,
        do=alarm.do,
        is_reminder=notification.is_reminder,
    )


def test_of(id: str, now: float) -> Told:
    """What `gatepost alarm test` sends."""
    return Told(
        id=id,
        state=TEST,
        code=TEST,
        about="",
        since=now,
        at=now,
        says="This is a test of the alarms. Nothing is wrong.",
        do="nothing",
    )


def body(told: Told, hostname: str, version: str) -> bytes:
    document: dict[str, Any] = {
        "id": told.id,
        "state": told.state,
        "code": told.code,
        "about": told.about,
        "says": told.says,
        "do": told.do,
        "since": _time(told.since),
        "at": _time(told.at),
        "reminder": told.is_reminder,
        "hostname": hostname,
        "version": version,
    }
    return visible_json(json.dumps(document, ensure_ascii=False)).encode("utf-8", "backslashreplace")


def signature(secret: bytes, body: bytes, now: float) -> str:
    """Value of the header: the time is signed too, so that what was overheard cannot be played again later."""
    at = str(int(now)).encode("ascii")
    return f"t={at.decode()},v1={hmac.new(secret, at + b'.' + body, sha256).hexdigest()}"


def mail_title(told: Sequence[Told], hostname: str) -> str:
    if len(told) > 1:
        return f"{hostname}: {len(told)} alarms, the first: {_headline(told[0])}"
    return f"{hostname}: {_headline(told[0])}"


def mail_paragraphs(told: Sequence[Told]) -> list[str]:
    paragraphs = []
    for each in told:
        paragraphs += [f"* {_headline(each)} (since {_time(each.since)})", each.says]
        if not each.is_over:
            paragraphs.append(f"Action: {each.do}")
    return [*paragraphs, "All problems of now: gatepost status. An alarm is repeated once a day while it lasts."]


def _headline(told: Told) -> str:
    about = f" {told.about}" if told.about else ""
    state = "still firing" if told.is_reminder else told.state
    return f"{state}: {told.code}{about}"


def _time(at: float) -> str | None:
    return time_text(datetime.fromtimestamp(round(at), UTC))
