"""Words of a command line that several commands take the same way."""

from __future__ import annotations

import typer


def with_files(words: list[str], key: str = "dataset") -> list[str]:
    """The words with the files at their head, before any key=value or --key, as one setting: `key=a,b`."""
    count = next((place for place, word in enumerate(words) if "=" in word or word.startswith("--")), len(words))
    return [f"{key}={','.join(words[:count])}", *words[count:]] if count else words


def listed(rows) -> None:
    """Prints settings as `engine.config.describe` tells them: name, type, default, and what it is."""
    for row in rows:
        typer.echo(f"{row[0]}: {row[1]} = {row[2]}")
        typer.echo(f"    {row[3]}")
