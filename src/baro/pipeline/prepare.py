"""The stage that makes data: any Python function that writes files into the stage's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from baro.engine import dist, files, meter
from baro.engine.config import Settings
from baro.rewards.functions import FunctionName, load_function


class Config(Settings):
    """Settings of `method: prepare`."""

    output_dir: str
    """Where the function writes."""
    function: FunctionName
    """module:function or file.py:function, called as f(folder, **args) -> {name: count}."""
    args: dict[str, Any] = {}
    """Keyword arguments of the function."""


def main(config: Config, display=None) -> dict:
    """Call the function once, on rank 0; its counts are the stage's metrics."""
    meter.start()
    folder = Path(config.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    if dist.main_rank():
        counts = load_function(config.function)(folder, **config.args)
        result = {
            "method": "prepare",
            "seconds": meter.seconds(),
            "tokens": 0,
            "peak_bytes": meter.peak_bytes(),
            "metrics": {name: value for name, value in (counts or {}).items() if isinstance(value, int | float)},
        }
        files.replace_json(folder / "result.json", result)
    dist.barrier()
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))
