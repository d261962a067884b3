"""`gatepost serve`: run the relay until told to stop."""

import typer

from gatepost.cli import context

serve_app = typer.Typer(add_completion=False, rich_markup_mode=None)


@serve_app.command(help="Run the relay; log one line per listener when ready. Stop it with SIGTERM or Ctrl-C.")
def serve() -> None:
    from gatepost.app.start_checks import StartError
    from gatepost.app.supervisor import supervise

    try:
        raise typer.Exit(supervise(context.config()))
    except StartError as error:
        context.fail(str(error), context.WRONG_USE)
