"""The wizard, connected: both sides, the journal, real sessions.

What flows through: an `Ask` as it was typed becomes a plan; a plan file becomes changes at both sides; what was applied
last answers `verify`, `undo` and `rehearse`.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Protocol

from gatepost.admin.sessions.probe import ProbeResult, Question, probe
from gatepost.app.hybrid_edge import EdgeSide
from gatepost.app.hybrid_postfix import PostfixSide
from gatepost.app.in_use import keep_in_use, keep_only, presented_now
from gatepost.app.relay_api import RelayApi, UnusableFile
from gatepost.app.relay_token import note_token
from gatepost.app.setup import EDGE_TENANT, LOCAL_NETWORKS
from gatepost.config import Config
from gatepost.errors import GatepostError
from gatepost.hybrid import apply as applying
from gatepost.hybrid.apply import Side, Trouble
from gatepost.hybrid.desire import (
    EDGE,
    POSTFIX,
    RELAY,
    NotPossible,
    Wish,
    desired_at_edge,
    desired_at_relay,
    domains_without_mailboxes,
)
from gatepost.hybrid.journal import Memory
from gatepost.hybrid.merge import Fields, Kept
from gatepost.hybrid.observe import relevant
from gatepost.hybrid.plan import Plan, Wanted, difference
from gatepost.hybrid.postfix import desired_at_postfix
from gatepost.hybrid.postfix import notes as postfix_notes
from gatepost.hybrid.rehearsal import SEEN_REPLY, Rehearsal, Shown, concluded, why_refused
from gatepost.hybrid.relay_side import RelaySide, Waiting
from gatepost.net.certificates import CredentialError, read_chain
from gatepost.net.credentials import Credentials, load_credentials
from gatepost.net.judgement import Judge
from gatepost.net.probe import dial
from gatepost.net.roots import system_roots_file
from gatepost.net.tls_client import ClientTlsContexts
from gatepost.tenancy.evidence import CertificateFacts
from gatepost.tenancy.names import certificate_name_key
from gatepost.tenancy.tenant import SmartHost

CLOCK_SKEW = timedelta(minutes=5)
"""How far clocks of two well-kept machines are apart at most."""

_STEP_TIMEOUT_S = 30.0
_RECORD_S, _RECORD_LOOK_S = 10.0, 0.1
"""How long the relay may take to write down what it saw."""


class NothingApplied(GatepostError):
    """There is no set-up of the wizard here; one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What the administrator asked for. Paths are absolute, because the plan outlives the working directory."""

    relay: str
    relay_ca: Path | None
    token_file: Path
    tenant: str | None = None
    """Only with an operator's token."""
    smart_host: SmartHost
    domains: tuple[str, ...]
    certificate: Path | None
    """None: a rehearsal by the address alone."""
    key: Path | None
    trust_anchors: tuple[Path, ...] = ()
    postfix: bool = False
    """Postfix on this machine sends, not this edge."""
    config_directory: Path | None = None
    """Of Postfix; None: its own default."""
    mailboxes: SmartHost | None = None
    """The organisation's own mail server, for an edge that has no way there yet."""

    @property
    def files(self) -> tuple[Path, Path]:
        """Certificate and key of a set-up, which always has both."""
        assert self.certificate is not None
        assert self.key is not None
        return self.certificate, self.key

    @property
    def pair(self) -> tuple[str, str]:
        """The same as send connectors have them."""
        certificate, key = self.files
        return str(certificate), str(key)

    def record(self) -> Fields:
        return {
            "relay": self.relay,
            "relay_ca": str(self.relay_ca) if self.relay_ca else None,
            "token_file": str(self.token_file),
            "tenant": self.tenant,
            "smart_host": {"host": self.smart_host.host, "port": self.smart_host.port},
            "domains": list(self.domains),
            "certificate": self.pair[0],
            "key": self.pair[1],
            "trust_anchors": [str(path) for path in self.trust_anchors],
            "postfix": self.postfix,
            "config_directory": str(self.config_directory) if self.config_directory else None,
            "mailboxes": {"host": self.mailboxes.host, "port": self.mailboxes.port} if self.mailboxes else None,
        }


def ask_from(record: Fields) -> Ask:
    return Ask(
        relay=record["relay"],
        relay_ca=Path(record["relay_ca"]) if record["relay_ca"] else None,
        token_file=Path(record["token_file"]),
        tenant=record["tenant"],
        smart_host=SmartHost(**record["smart_host"]),
        domains=tuple(record["domains"]),
        certificate=Path(record["certificate"]),
        key=Path(record["key"]),
        trust_anchors=tuple(Path(path) for path in record["trust_anchors"]),
        postfix=record["postfix"],
        config_directory=Path(record["config_directory"]) if record["config_directory"] else None,
        # A plan of a version before this one says nothing of it.
        mailboxes=SmartHost(**mailboxes) if (mailboxes := record.get("mailboxes")) else None,
    )


def memory(config: Config) -> Memory:
    return Memory(config.data / "hybrid")


def last_ask(config: Config) -> Ask:
    """What the last apply was asked for. Raises `NothingApplied`."""
    last = memory(config).last_finished()
    if last is None:
        raise NothingApplied(
            "nothing has been applied from here yet; begin with: gatepost hybrid plan --relay https://HOST:PORT …"
        )
    return ask_from(last.plan.wish)


class WholeSide(Side, Protocol):
    def everything(self) -> dict[str, Fields]: ...


# --- planning --------------------------------------------------------------------------------------------------------


def plan(config: Config, ask: Ask, overwrite: Collection[str] = ()) -> Plan:
    """The difference between what is and what should be. Raises `UnusableFile`, `NotPossible`, `Trouble`."""
    now = datetime.now(UTC)
    credentials = usable_credentials(*ask.files, now)
    remembered = memory(config)
    last = remembered.last_applied()
    with _sides(config, ask, remembered.folder) as (sides, tenant):
        everything = {name: side.everything() for name, side in sides.items()}
        sender, hostname, notes = _about_sender(config, sides)
    wish = _wish(ask, credentials, hostname)
    wanted = (
        *desired_at_relay(wish, everything[RELAY], last, _applied_at(remembered), now),
        *(
            desired_at_postfix(wish, everything[POSTFIX], _roots())
            if sender == POSTFIX
            else desired_at_edge(wish, everything[EDGE], last)
        ),
    )
    observed = relevant(wanted, everything)
    changes, kept = difference(wanted, observed, last, overwrite)
    answered = {side: dict(objects) for side, objects in last.items()}
    for each in wanted:
        answered.setdefault(each.side, {})[each.object] = each.fields
    return Plan(
        made_at=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        wish=replace(ask, tenant=tenant).record(),
        observed=observed,
        wanted=answered,
        changes=changes,
        kept=kept,
        notes=(*credentials.warnings, *notes, *_about_mailboxes(wish, everything, wanted)),
    )


def _about_mailboxes(
    wish: Wish, everything: Mapping[str, dict[str, Fields]], wanted: Sequence[Wanted]
) -> Iterator[str]:
    to_relay = next((each.object for each in wanted if each.side == EDGE and each.presents), None)
    if to_relay is None or wish.mailboxes:
        return
    lacking = domains_without_mailboxes(wish, everything[EDGE], to_relay)
    if lacking:
        yield (
            f"no send connector leads to the mailboxes of {', '.join(lacking)}: a notice to a user there would leave "
            "by the relay, and be lost when that refuses mail of this edge; name your mail server with --mailboxes HOST"
        )


def _about_sender(config: Config, sides: Mapping[str, WholeSide]) -> tuple[str, str, tuple[str, ...]]:
    """Which side sends, what it calls itself, and what to know about it."""
    side = sides.get(POSTFIX)
    if isinstance(side, PostfixSide):
        return POSTFIX, side.hostname, tuple(postfix_notes(side.set_parameters()))
    return EDGE, config.hostname, ()


def _roots() -> str | None:
    found = system_roots_file()
    return str(found) if found else None


def usable_credentials(certificate: Path, key: Path, now: datetime) -> Credentials:
    """A certificate that can be presented now. Raises `UnusableFile`."""
    try:
        credentials = load_credentials(certificate, key)
    except CredentialError as error:
        raise UnusableFile(str(error)) from None
    _in_its_time(certificate, credentials.leaf, now)
    return credentials


def usable_certificate(certificate: Path, now: datetime) -> CertificateFacts:
    """The same where the key is elsewhere. Raises `UnusableFile`."""
    try:
        leaf = read_chain(certificate)[0]
    except CredentialError as error:
        raise UnusableFile(str(error)) from None
    _in_its_time(certificate, leaf, now)
    return leaf


def _in_its_time(certificate: Path, leaf: CertificateFacts, now: datetime) -> None:
    if leaf.not_before and leaf.not_before > now + CLOCK_SKEW:
        raise UnusableFile(
            f"certificate {certificate} is not valid before {leaf.not_before:%Y-%m-%d %H:%M}Z, and the clock here says "
            f"{now:%Y-%m-%d %H:%M}Z: set the clock (timedatectl), or wait"
        )
    if leaf.not_after and leaf.not_after <= now:
        raise UnusableFile(f"certificate {certificate} expired on {leaf.not_after:%Y-%m-%d}; name the renewed one")


def _applied_at(remembered: Memory) -> datetime | None:
    last = remembered.last_finished()
    return datetime.fromisoformat(last.plan.made_at) if last else None


def _wish(ask: Ask, credentials: Credentials, hostname: str) -> Wish:
    return Wish(
        smart_host=ask.smart_host,
        domains=ask.domains,
        certificate=ask.pair[0],
        key=ask.pair[1],
        names=tuple(filter(None, map(certificate_name_key, credentials.leaf.names))),
        hostname=hostname,
        trust_anchors=tuple(_anchor(path) for path in ask.trust_anchors),
        local_tenant=EDGE_TENANT,
        local_networks=tuple(ip_network(network) for network in LOCAL_NETWORKS),
        mailboxes=ask.mailboxes,
    )


def _anchor(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise UnusableFile(f"--trust-anchor {path} cannot be read; it is your authority's root as PEM") from None


@contextmanager
def _sides(
    config: Config,
    ask: Ask,
    folder: Path,
    *,
    wait_s: float = 0.0,
    waiting: Callable[[Waiting], None] = lambda _: None,
) -> Iterator[tuple[Mapping[str, WholeSide], str]]:
    """Both sides, and the tenant that the token speaks for. `folder` is where files are backed up."""
    api = RelayApi(ask.relay, ask.token_file, ask.relay_ca)
    try:
        tenant = _tenant_noting_token(config, api, ask)
        relay = RelaySide(api, tenant, wait_s=wait_s, waiting=waiting)
        if ask.postfix:
            yield {RELAY: relay, POSTFIX: PostfixSide(ask.config_directory, folder / "backup")}, tenant
            return
        edge = EdgeSide(config)
        try:
            yield {RELAY: relay, EDGE: edge}, tenant
        finally:
            edge.close()
    finally:
        api.close()


def tenant_of(api: RelayApi, ask: Ask) -> str:
    return _tenant(api.request("GET", "/v1/whoami").body, ask)


def _tenant_noting_token(config: Config, api: RelayApi, ask: Ask) -> str:
    """And remember until when the token counts, for the forecast."""
    who = api.request("GET", "/v1/whoami").body
    note_token(config, str(who["token"]), who["expires_at"])
    return _tenant(who, ask)


def _tenant(who: Mapping[str, Any], ask: Ask) -> str:
    if who["tenant"] is None and ask.tenant is None:
        raise NotPossible(f"the token in {ask.token_file} is an operator's: say for whom with --tenant T")
    if "write" not in who["scopes"]:
        raise NotPossible(
            f"the token in {ask.token_file} may only read: ask the relay's operator for one that may write"
        )
    return str(who["tenant"] or ask.tenant)


# --- applying --------------------------------------------------------------------------------------------------------


def apply_plan(
    config: Config,
    found: Plan,
    tell: applying.Tell,
    *,
    wait_s: float,
    waiting: Callable[[Waiting], None],
    rehearsed: Callable[[Rehearsal], None],
) -> bool:
    """False: this very plan was applied before, and is in force. Raises `Busy`, `WorldMoved`, `Trouble`,
    `UnusableFile`, `NotPossible`."""
    ask = ask_from(found.wish)
    remembered = memory(config)
    with remembered.locked():
        usable_credentials(*ask.files, datetime.now(UTC))
        last = remembered.last_finished()
        if last and last.plan.digest == found.digest:
            _take_into_use(config, ask)
            return False
        journal = remembered.begin(found)
        with _sides(config, ask, journal.folder, wait_s=wait_s, waiting=waiting) as (sides, _):

            def rehearse_or_stop() -> None:
                outcome = rehearse(config, ask)
                rehearsed(outcome)
                if why := why_refused(outcome):
                    raise Trouble(
                        f"{why}; this edge was left as it was. Mend that and go on with the same gatepost hybrid "
                        "apply, or take back what was done: gatepost hybrid undo"
                    )

            applying.apply(found, journal, sides, rehearse_or_stop, tell)
        _take_into_use(config, ask)
        return True


def apply_at_relay(config: Config, found: Plan) -> None:
    """A plan that touches nothing but the relay, while mail flows. Raises as `apply_plan` does."""
    ask = ask_from(found.wish)
    remembered = memory(config)
    with remembered.locked():
        journal = remembered.begin(found)
        with _sides(config, ask, journal.folder) as (sides, _):
            applying.apply(found, journal, sides, lambda: None, lambda *_: None)


def _take_into_use(config: Config, ask: Ask) -> None:
    """From now on the wizard answers for what is presented: these files, and later ones once they are rehearsed."""
    if ask.postfix:
        keep_only(config, None)
        return
    keep_only(config, ask.pair)
    shown = presented_now(config, *ask.pair)
    if shown is None or shown.leaf.sha256 != load_credentials(*ask.pair).leaf.sha256:
        outcome = rehearse(config, ask)
        if not outcome.accepted:
            raise Trouble(f"both sides are set, but {why_refused(outcome)}")
        keep_in_use(config, *ask.pair)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    kept: tuple[Kept, ...]
    """What somebody changed since."""
    left: tuple[applying.Left, ...]
    """What could not be taken back."""
    warning: str | None
    """What the relay would now make of the certificate that is still presented."""


def undo(config: Config, tell: applying.Tell, overwrite: Collection[str] = ()) -> Undone:
    """Take the last apply back, as far as that is possible. Raises `Busy`, `NothingApplied`, `Trouble`,
    `UnusableFile`."""
    remembered = memory(config)
    with remembered.locked():
        journal = remembered.latest()
        if journal is None:
            raise NothingApplied("nothing has been applied from here, so there is nothing to undo")
        with _sides(config, ask_from(journal.plan.wish), journal.folder) as (sides, _):
            result = applying.undo(journal, sides, tell, overwrite)
        last = remembered.last_finished()
        ask = ask_from(last.plan.wish) if last else None
        keep_only(config, ask.pair if ask and not ask.postfix else None)
    return Undone(kept=result.kept, left=result.left, warning=_still_relayed(config, ask) if ask else None)


def _still_relayed(config: Config, ask: Ask) -> str | None:
    """An earlier set-up goes on: would the relay take its mail?"""
    try:
        why = why_refused(rehearse(config, ask))
    except (Trouble, UnusableFile) as error:
        why = str(error)
    return f"the set-up before is in force again, but {why}" if why else None


# --- rehearsing ------------------------------------------------------------------------------------------------------


def rehearse(config: Config, ask: Ask, *, source_address: str | None = None) -> Rehearsal:
    """A session over the real path with the certificate of `ask`; what the relay saw, and would decide. Raises
    `Trouble`, `UnusableFile`, `NotPossible`."""
    credentials = usable_credentials(*ask.files, datetime.now(UTC)) if ask.certificate else None
    api = RelayApi(ask.relay, ask.token_file, ask.relay_ca)
    try:
        base = f"/v1/tenants/{_tenant_noting_token(config, api, ask)}/rehearsals"
        opened = api.request("POST", base, {"envelopes": _envelopes(ask.domains)}).body
        result = _session(config, ask, credentials, opened["address"], source_address)
        answer = _recorded(api, f"{base}/{opened['id']}", wait=_was_seen(result))
    finally:
        api.close()
    return _concluded(result, credentials, answer)


def _envelopes(domains: Sequence[str]) -> list[dict[str, str]]:
    """From an own sender, the null one and a foreign one, to the outside: the three are decided differently. None:
    the relay chooses the own sender."""
    if not domains:
        return []
    own = f"postmaster@{domains[0]}"
    # RFC 2606 2: nobody's domains.
    return [
        {"mail_from": sender, "rcpt_to": "someone@outside.example"} for sender in (own, "", "someone@foreign.example")
    ]


def _was_seen(result: ProbeResult) -> bool:
    return any(each.stage == "rcpt-to" and SEEN_REPLY in each.reply for each in result.stages)


def _recorded(api: RelayApi, path: str, *, wait: bool) -> Mapping[str, Any]:
    """What the relay has on record; it writes a moment after it has replied."""
    deadline = time.monotonic() + (_RECORD_S if wait else 0.0)
    while True:
        answer: Mapping[str, Any] = api.request("GET", path).body
        if answer["state"] == "seen" or time.monotonic() > deadline:
            return answer
        time.sleep(_RECORD_LOOK_S)


def _session(
    config: Config, ask: Ask, credentials: Credentials | None, address: str, source_address: str | None
) -> ProbeResult:
    contexts = ClientTlsContexts(Judge(config.tls.server_roots if config.tls else None, required_purpose="serverAuth"))
    certificate, key = ask.pair if credentials else (None, None)
    host = ask.smart_host
    call = partial(dial, host.host, host.port, contexts, certificate, key, _STEP_TIMEOUT_S, source_address)
    question = Question(
        host=host,
        ehlo=config.hostname,
        chain=credentials.chain if credentials else (),
        mail_from="",
        rcpt_to=(address,),
    )
    return asyncio.run(probe(call, question, datetime.now(UTC)))


def _concluded(result: ProbeResult, credentials: Credentials | None, answer: Mapping[str, Any]) -> Rehearsal:
    chain = credentials.chain if credentials else ()
    shown = Shown(
        ehlo=next((each.sent.split()[-1] for each in result.stages if each.sent and each.stage == "ehlo"), None),
        chain_sha256=tuple(each.sha256 for each in chain),
        names=credentials.leaf.names if credentials else (),
    )
    seen = answer if answer["state"] == "seen" else None
    problems = [] if seen else list(result.problems)
    return concluded(shown, seen, problems, starttls=result.starttls, reached=result.banner is not None)
