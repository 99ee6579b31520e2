"""The table of one work."""

from __future__ import annotations

from typing import Any

from bench.compare import SIDES


def show(work: str, asked, found: dict[str, Any]) -> None:
    """Print the figures of every side."""
    from rich.console import Console
    from rich.table import Table

    peak, load = found["peak_flops"] / 1e9, found["load_after"][0]
    title = f"{work}, {asked.size}, {asked.threads} thread(s), {asked.rounds} rounds"
    table = Table(title=title, caption=f"peak {peak:.0f} GFLOP/s; load of the machine {load:.1f}")
    for name in ("side", f"{found['unit']}/s", "spread", "baro is", "of the limit", "peak memory"):
        table.add_column(name, justify="left" if name == "side" else "right")
    for side, figure in found["sides"].items():
        share = "–" if figure["share"] is None else f"{figure['share']:.0%}"
        table.add_row(
            f"{side} {SIDES[side]}".strip(),
            f"{figure['median']:,.2f}" if figure["median"] < 100 else f"{figure['median']:,.0f}",
            f"{figure['spread']:.0%}",
            f"{figure['ratio']:.2f}×",
            share,
            f"{figure['peak_bytes'] / 2**20:,.0f} MiB",
        )
    Console().print(table)
