"""How an attribution is shown to people."""

from gatepost.cli import context
from gatepost.tenancy.attribution import Attribution


def print_verdict(path: str, headline: str, found: Attribution, reply: str) -> None:
    """A recipient, what becomes of it and by which connector, and the reply below."""
    from rich.markup import escape

    colour = "red" if found.refusal else "green"
    by = f" (by {found.basis}, connector {found.connector})" if found.connector else ""
    context.console().print(f"{escape(path)}: [bold {colour}]{escape(headline)}[/]{escape(by)}", soft_wrap=True)
    context.print_indented(reply, 2, style="dim")
