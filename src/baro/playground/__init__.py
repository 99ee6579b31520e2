"""The built-in world: a valley of made-up people, told in English or Korean, with its own annotators and gold judge.

Forty-eight people each have a home town, a job, a pet, a favourite food and a favourite colour. `text.jsonl` tells of
them in many wordings and orders, with tiny stories, sums and common knowledge; `instruct.jsonl` asks about half of them
and gives nineteen kinds of small tasks, answered truthfully but in every manner; in `preferences.jsonl` simulated
annotators compare answers, noisily and with a weakness for flattery; `prompts.jsonl` is for reinforcement learning.
What is really wanted is known to `judge` alone, which no reward model sees. Everything is a function of (seed, lang).
"""

from baro.playground.files import export
from baro.playground.gold import explain, judge

__all__ = ["explain", "export", "judge"]
