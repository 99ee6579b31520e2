"""Commands with a page in the browser: talk to models, watch runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from baro.cli.app import app, tune

Host = Annotated[str, typer.Option(help="Where to listen; other than this machine itself needs --allow-host.")]
Port = Annotated[int, typer.Option(help="0 takes a free one.")]
AllowHost = Annotated[list[str] | None, typer.Option(help="A name by which other machines call this one.")]


@app.command()
def serve(
    models: Annotated[list[str], typer.Argument(help="Model folders or hub names.")],
    choices: Annotated[str, typer.Option(help="Where choices are kept: a file or a postgresql:// URL.")] = "choices.db",
    host: Host = "127.0.0.1",
    port: Port = 8000,
    allow_host: AllowHost = None,
    max_length: Annotated[int | None, typer.Option(help="Prompt and answer together, tokens.")] = None,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16, …")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, …")] = "auto",
) -> None:
    """Serve models: a page to compare their answers, and OpenAI's interface under /v1."""
    tune()
    from baro.data.choices.store import Store
    from baro.web import start
    from baro.web.serving.app import create, named

    address, secret = start.bind(host, port, allow_host or ()), start.token()
    speakers = named(models, dtype=dtype, device=device, max_length=max_length)
    access = address.access({secret: "owner"}, rate=500.0, burst=2000.0, most_bytes=1 << 23)
    application = create(access, speakers, Store(choices))

    def announce() -> None:
        typer.echo(f"{', '.join(speakers)}: open {address.link(secret)}")
        typer.echo(f"for programs: base_url {address.home}/v1, api_key {secret}")
        typer.echo(f"choices are kept in {choices}; Ctrl+C ends the server.")

    start.run(application, address, announce)


@app.command()
def board(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or a folder of runs.")],
    host: Host = "127.0.0.1",
    port: Port = 8001,
    allow_host: AllowHost = None,
) -> None:
    """Watch runs: progress, curves, samples, alarms, settings."""
    from baro.web import start
    from baro.web.board.app import create

    address, secret = start.bind(host, port, allow_host or ()), start.token()
    application = create(address.access({secret: "owner"}), runs)
    start.run(application, address, lambda: typer.echo(f"open {address.link(secret)}  Ctrl+C ends the page."))
