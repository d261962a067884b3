"""`gatepost alarm …`"""

from typing import Annotated

import typer

from gatepost.app.alarming.asking import list_alarms, send_test
from gatepost.cli import context

alarm_app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="List alarms, and test how they are sent."
)

Json = Annotated[bool, typer.Option("--json", help="Output JSON.")]


@alarm_app.command("list", help="List alarms that fire, those cleared within 7 days, and what is still to be sent.")
def list_command(json: Json = False) -> None:
    config = context.config()
    found = list_alarms(config)
    if json:
        context.print_json(found)
        return
    for each in found["alarms"]:
        about = f"  {each['about']}" if each["about"] else ""
        style = "bold red" if each["state"] == "firing" else "bold"
        context.print_point(each["state"], f"{each['code']}{about}, since {each['since']}", each["says"], style)
        if each["state"] == "firing":
            context.print_indented(f"→ {each['do']}", 4)
    if not found["alarms"]:
        context.say("no alarms")
    for each in found["channels"]:
        if each["problem"]:
            again = f"; next attempt {each['next_attempt_at']}"
            context.say(f"{each['channel']}: {each['waiting']} not sent: {each['problem']}{again}")
    if config.alarm is None:
        context.warn(f"there is no [alarm] in {config.file}: alarms are neither raised nor sent")


@alarm_app.command("test", help="Send a test by webhook and by mail. Exit code 1: one of them failed.")
def test_command(json: Json = False) -> None:
    config = context.config()
    if config.alarm is None:
        context.fail(
            f"there is no [alarm] in {config.file}; add webhook or mail, see gatepost help settings", context.WRONG_USE
        )
    tested = send_test(config, config.alarm)
    if json:
        context.print_json(
            [{"channel": each.channel, "to": each.to, "problem": each.problem or None} for each in tested]
        )
    else:
        for each in tested:
            done = "sent" if each.channel == "webhook" else "queued as soon as a worker serves"
            context.say(f"{each.channel} to {each.to}: {each.problem or done}")
    if any(each.problem for each in tested):
        raise typer.Exit(context.NO)
