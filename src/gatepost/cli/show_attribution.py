"""How an attribution is shown to people."""

from gatepost.cli import context
from gatepost.tenancy.fields import ReadRecord


def print_verdict(path: str, headline: str, found: ReadRecord) -> None:
    """A recipient, what becomes of it and by which connector, the reply, and every reason and warning below."""
    from rich.markup import escape

    colour = "red" if found["reason"] else "green"
    by = f" (by {found['basis']}, connector {found['connector']})" if found["connector"] else ""
    context.console().print(f"{escape(path)}: [bold {colour}]{escape(headline)}[/]{escape(by)}", soft_wrap=True)
    context.print_indented(found["reply"], 2, style="dim")
    for each in found["reasons"]:
        context.print_point(each["code"], f" ({each['connector']})" if each["connector"] else "", each["says"])
    for warning in found["warnings"]:
        context.print_point("warning", "", warning, "bold yellow")
