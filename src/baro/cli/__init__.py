"""The command line."""

from __future__ import annotations

import gc
import sys

import typer

from baro.cli import curation, data, evaluate, people, playground, serving, training, using
from baro.cli.app import app
from baro.core.errors import BaroError

__all__ = ["app", "curation", "data", "evaluate", "main", "people", "playground", "serving", "training", "using"]


def main() -> None:
    """Entry point: errors a person can act on are one message and exit code 2, never a traceback."""
    from baro.core.signals import Stopped

    gc.set_threshold(50_000)  # not 700: a tenth of the start went into looking for cycles among imported modules
    try:
        code = app(standalone_mode=False)  # a command's own exit code comes back as its result
        if isinstance(code, int) and code:
            sys.exit(code)
    except BaroError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except Stopped as stopped:
        typer.echo(str(stopped), err=True)
        sys.exit(stopped.code)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except typer.Exit as leave:
        sys.exit(leave.exit_code)
    except Exception as error:
        usage = getattr(error, "format_message", None)  # click's own usage errors
        if usage is None:
            raise
        typer.echo(f"error: {usage()}", err=True)
        sys.exit(2)
