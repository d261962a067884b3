"""What `gatepost hybrid` shows: plans, steps, rehearsals, certificates side by side."""

from collections.abc import Iterator
from shlex import quote
from typing import Any

from gatepost.cli import context
from gatepost.hybrid.apply import NotUndone
from gatepost.hybrid.choices import Choice
from gatepost.hybrid.errors import Drift
from gatepost.hybrid.merge import Kept
from gatepost.hybrid.plan import Change, Plan, differing
from gatepost.hybrid.postfix import shell_lines
from gatepost.hybrid.rehearsal import Rehearsal, seen_certificate
from gatepost.hybrid.sides.relay import Waiting
from gatepost.hybrid.verify import Check


def show_plan(plan: Plan) -> None:
    if not plan.changes:
        context.say("nothing to do")
    for change in plan.changes:
        _show_change(change)
    if plan.kept:
        show_kept(plan.kept, "changed manually, and kept:")
    _show_commands(plan)
    for note in plan.notes:
        context.warn(f"note: {note}")
    if plan.changes:
        context.say(f"{count(len(plan.changes), 'change')}, digest {plan.digest[:16]}")


def _show_commands(plan: Plan) -> None:
    """What the apply would run on a machine that is not Gatepost's own."""
    if lines := shell_lines(plan.changes, plan.request["config_directory"]):
        context.say("as commands:")
        for line in lines:
            context.say(f"  {line}")


def _show_change(change: Change) -> None:
    from rich.text import Text

    colour = {"create": "green", "update": "yellow", "delete": "red"}[change.action]
    head = Text.assemble(
        (f"{change.order:>2}  {change.side:<6} ", "bold"), (f"{change.action} ", f"bold {colour}"), change.object
    )
    context.console().print(head, soft_wrap=True)
    for sign, field, value in _lines(change):
        context.print_indented(f"{field} = {value}", 8, f"      {sign} ", {"+": "green", "-": "red"}[sign])
    context.print_indented(change.why, 11, "      why  ", "dim")
    if change.risk != "none":
        context.print_indented(change.risk, 11, "      risk ", "dim")


def _lines(change: Change) -> Iterator[tuple[str, str, str]]:
    """What is taken away, and what comes; of a new object only what says something."""
    for field, (before, after) in differing(change.before, change.after).items():
        if change.before is not None:
            yield "-", field, _shown(before)
        if change.after is not None and (change.before is not None or after not in (None, [], False)):
            yield "+", field, _shown(after)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "nothing"
    if isinstance(value, dict):
        return ":".join(str(each) for each in value.values())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and value.startswith("-----BEGIN"):
        return "a certificate"
    return "nothing" if value is None else str(value)


def show_left(left: tuple[NotUndone, ...]) -> None:
    context.say("could not be reverted:")
    for each in left:
        context.print_point(each.change.object, f" ({each.change.side})", each.message)
    if not all(each.final for each in left):
        context.suggest("gatepost hybrid undo")


def show_kept(kept: tuple[Kept, ...], title: str) -> None:
    context.say(title)
    for each in kept:
        if each.field:
            says = f"it is {_shown(each.now)}; the wizard would set {_shown(each.wanted)}"
        else:
            says = "it was removed" if each.now is None else "it differs from what was applied"
        context.print_point(each.name, f" ({each.side})", f"{says}; to overwrite it: --overwrite {quote(each.name)}")


def show_drifts(drifts: tuple[Drift, ...]) -> None:
    context.say("the configuration has changed since the plan was created:", err=True)
    for each in drifts:
        for field, (planned, now) in each.differences.items():
            name = f"{each.object}.{field}" if field else each.object
            context.say(f"  {each.side}: {name} was {_shown(planned)}, is now {_shown(now)}", err=True)


def show_checks(checks: tuple[Check, ...]) -> None:
    for check in checks:
        style = "green" if check.passed else "bold red"
        context.print_point(check.name, f" {'ok' if check.passed else 'NOT OK'}", check.says, style)
        if check.do:
            context.print_indented(check.do, 4)


def show_step(change: Change, what: str) -> None:
    context.say(f"{change.order:>2}  {change.side:<6} {change.action} {change.object}: {what}")


class ApplyProgress:
    """Each step; while DNS is waited for, the record once and then what DNS says each time that is something new."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def step(self, change: Change, what: str) -> None:
        show_step(change, what)

    def waiting(self, waiting: Waiting) -> None:
        if not self._said:
            context.say(f'    publish: {waiting.record_name} TXT "{waiting.record_value}"')
        if waiting.says not in self._said:
            self._said.add(waiting.says)
            context.say(f"    waiting, up to {waiting.left_s:.0f} s more: {waiting.says}")

    def rehearsed(self, found: Rehearsal) -> None:
        outcome = "accepted" if found.accepted else "refused"
        context.say(f"    rehearsal over the real path: {outcome}")


def show_rehearsal(found: Rehearsal) -> None:
    seen = found.seen
    if seen is not None:
        certificate, tls = seen_certificate(seen), seen.get("tls")
        context.say("the relay saw")
        facts = [
            ("address", str(seen["address"])),
            ("EHLO", str(seen["ehlo"])),
            ("TLS", f"{tls['protocol']} {tls['cipher']}" if tls else "none"),
            ("certificate", _seen_certificate(certificate) if certificate else "none"),
        ]
        for label, value in facts:
            context.print_indented(value, 15, f"  {label:<12} ")
    for line in (*found.differences, *found.problems):
        context.print_indented(line, 4, "  ! ", "bold yellow")
    for verdict in found.verdicts:
        style = "bold red" if verdict["outcome"] == "refused" else "bold green"
        about = f" <{verdict['mail_from']}> to <{verdict['rcpt_to']}>"
        context.print_point(verdict["outcome"], about, verdict["reply"], style)
        for reason in verdict["reasons"]:
            context.print_indented(f"{reason['code']}: {reason['says']}", 4)


def show_choices(choices: tuple[Choice, ...]) -> None:
    for choice in choices:
        style = "bold green" if choice.usable else "bold red"
        context.print_point(
            choice.file, "" if choice.usable else " cannot be used", ", ".join(choice.names) or "no name", style
        )
        end = f"{choice.not_after:%Y-%m-%d}, {choice.days_left} days left" if choice.not_after else "not shown"
        facts = [
            ("subject", choice.subject or "empty"),
            ("issuer", choice.issuer),
            ("until", end),
            ("for", ", ".join(choice.purposes) if choice.purposes is not None else "any purpose"),
            ("key", f"{choice.key}, {choice.key_file or 'private key not found'}"),
            (
                "chain",
                f"{count(choice.chain_length, 'certificate')}, {'' if choice.chain_complete else 'not '}complete",
            ),
            ("satisfies", ", ".join(choice.satisfies) or "no connector"),
        ]
        for label, value in facts:
            context.print_indented(value, 16, f"    {label:<11} ")
        for warning in choice.warnings:
            context.print_indented(warning, 6, "    ! ", "yellow")


def _seen_certificate(certificate: Any) -> str:
    names = ", ".join(certificate["names"]) or certificate["subject"]
    trust = "verified" if certificate["verified"] else "; ".join(each["text"] for each in certificate["errors"])
    return f"{names}, {count(len(certificate['chain']), 'certificate')} in the chain, {trust}"


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s'[: number != 1]}"
