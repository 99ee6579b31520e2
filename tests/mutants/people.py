"""Bugs in what people's choices pass through: the guard, the store, the figures."""

from __future__ import annotations

from mutant import Mutant

MUTANTS = [
    Mutant(
        name="a suffix of a host is accepted",
        incident="DNS rebinding: Ollama CVE-2024-28224, MCP SDK CVE-2025-66414",
        file="web/guard.py",
        old="if len(hosts) != 1 or hosts[0] not in self.access.hosts:",
        new="if len(hosts) != 1 or not any(hosts[0].endswith(host) for host in self.access.hosts):",
        test="web/test_guard.py",
    ),
    Mutant(
        name="any origin may write",
        incident="MCP Inspector CVE-2025-49596",
        file="web/guard.py",
        old="if len(origins) > 1 or not set(origins) <= allowed:",
        new="if len(origins) > 1:",
        test="web/test_guard.py",
    ),
    Mutant(
        name="a change by cookie needs no origin",
        incident="cross-site request forgery",
        file="web/guard.py",
        old='if scope["method"] not in SAFE and not bearer and not origins:',
        new="if False:",
        test="web/test_guard.py",
    ),
    Mutant(
        name="a link out of the folder is followed",
        incident="file reads of local web pages (Gradio)",
        file="web/paths.py",
        old="if found is None or not found.is_relative_to(base) or not (found.is_file() or found.is_dir()):",
        new="if found is None or not (found.is_file() or found.is_dir()):",
        test="web/test_paths.py",
    ),
    Mutant(
        name="the side decides, not the answer on it",
        incident="sides swapped for display, not for the record",
        file="web/annotate/site.py",
        old='side: Any = {"left": left, "right": "b" if left == "a" else "a"}.get(chosen.side, chosen.side)',
        new='side: Any = {"left": "a", "right": "b"}.get(chosen.side, chosen.side)',
        test="web/annotate/test_site.py",
    ),
    Mutant(
        name="a page writes under the name of a link opened since",
        incident="one cookie for two people",
        file="web/annotate/site.py",
        old="    if person != page:",
        new="    if False:",
        test="web/annotate/test_site.py",
    ),
    Mutant(
        name="a repeat stands on the same side",
        incident="self-consistency that measures the side",
        file="data/choices/order.py",
        old='found = show(connection, pair, annotator, 1, "b" if left == "a" else "a")',
        new="found = show(connection, pair, annotator, 1, left)",
        test="data/choices/test_store.py",
    ),
    Mutant(
        name="kappa takes nothing off for chance",
        incident="percent agreement reported as kappa",
        file="evals/agreement.py",
        old="return (agreed - chance) / (1 - chance) if chance < 1 - 1e-12 else math.nan",
        new="return agreed if chance < 1 - 1e-12 else math.nan",
        test="evals/test_agreement.py",
    ),
    Mutant(
        name="a tie is exported as a preference",
        incident="ties read as chosen",
        file="data/choices/export.py",
        old='if kept.choice != "tie" or ties == "keep":',
        new="if True:",
        test="data/choices/test_export.py",
    ),
    Mutant(
        name="the end token has no place in the log-probabilities",
        incident="a harness that takes the drawn token off takes the last one it asked about",
        file="pipeline/speaker.py",
        old="tokens, noted = item.tokens[unfolding.told :], item.noted[unfolding.told :]",
        new="tokens, noted = item.tokens[unfolding.told : -1 if ended else None], "
        "item.noted[unfolding.told : -1 if ended else None]",
        test="web/serving/test_harness.py",
    ),
]
