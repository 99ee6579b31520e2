"""What each check means, in English and Korean: what is wrong, what it does to a model, and who has suffered it."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import NamedTuple

REPOSITORIES = {
    "trl": "huggingface/trl",
    "trlx": "CarperAI/trlx",
    "LF": "hiyouga/LLaMA-Factory",
    "axolotl": "axolotl-ai-cloud/axolotl",
    "unsloth": "unslothai/unsloth",
    "OpenRLHF": "OpenRLHF/OpenRLHF",
    "ms-swift": "modelscope/ms-swift",
    "marin": "marin-community/marin",
    "Soup": "",
}


class Words(NamedTuple):
    """Of one check; `seen` is an issue of a tool that suffered it, as tool#number, or nothing."""

    en: str
    ko: str
    harm_en: str
    harm_ko: str
    seen: str

    @property
    def link(self) -> str:
        """The issue's address; "" where its repository is not known for sure."""
        tool, _, number = self.seen.partition("#")
        return f"https://github.com/{REPOSITORIES[tool]}/issues/{number}" if REPOSITORIES.get(tool) else ""


@cache
def words() -> dict[str, Words]:
    """By the name of the check."""
    text = (resources.files("baro.data.doctor") / "words.json").read_text(encoding="utf-8")
    return {name: Words(**entry) for name, entry in json.loads(text).items()}
