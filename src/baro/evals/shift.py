"""How much alignment changed: the rank of each token of the aligned model's greedy answers under the base model.

    η(t) = place of the aligned model's token x_t among the base model's predictions after (prompt, x_<t)
    unshifted η = 1 · marginal η = 2 or 3 · shifted η > 3            Lin et al. 2024 (URIAL), section 2

The superficial alignment hypothesis: most tokens are unshifted, and the shifted ones are of style. Published:
Llama-2-7b-chat 77.7 / 14.5 / 7.8 %, Vicuna-7b 82.4 / 12.8 / 4.8 %, Mistral-7b-instruct 82.2 / 12.5 / 5.2 %.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence as Items
from dataclasses import asdict, dataclass

from baro.core.errors import BaroError
from baro.data.packing import micro_batches
from baro.data.records import Prompt
from baro.evals.answers import Answered, answers, as_sequence
from baro.models.forward import split, token_ranks

NAMES = ("unshifted", "marginal", "shifted")
SHOWN_TOKENS = 20
SHOWN_ANSWERS = 6


@dataclass(frozen=True)
class Shift:
    """Shares are of tokens, 0 to 1, and sum to 1.

    Attributes:
        unshifted, marginal, shifted: over all tokens of all answers, end tokens included.
        tokens, answers: how many.
        by_position: per place in the answer (from 0) the three shares and the number of tokens there.
        most_shifted: {"token", "shifted", "count"} of the tokens that are shifted most often.
        shown: per answer {"prompt", "tokens": [[text, rank], …]}.
    """

    unshifted: float
    marginal: float
    shifted: float
    tokens: int
    answers: int
    by_position: list[dict[str, float]]
    most_shifted: list[dict[str, object]]
    shown: list[dict[str, object]]

    def as_dict(self) -> dict:
        """All of it by name, as JSON can hold it."""
        return asdict(self)


def kind_of(rank: int) -> int:
    """0 unshifted, 1 marginal, 2 shifted."""
    return 0 if rank == 1 else 1 if rank <= 3 else 2


def token_shift(base, aligned, tokenizer, prompts: Items[Prompt], *, max_new_tokens: int = 64) -> Shift:
    """The shift of `aligned` from `base` on its own greedy answers to `prompts`.

    Args:
        base, aligned: causal language models with one vocabulary.
        tokenizer: the aligned model's; its template renders the prompts for both.

    Raises:
        BaroError: the models have vocabularies of different sizes.
    """
    sizes = [model.get_output_embeddings().weight.shape[0] for model in (base, aligned)]
    if sizes[0] != sizes[1]:
        raise BaroError(
            f"the base model has {sizes[0]:,} tokens, the aligned one {sizes[1]:,}: ranks cannot be compared.",
            hint="Give the model that the aligned one was trained from.",
        )
    drawn = answers(aligned, tokenizer, prompts, temperature=0.0, max_new_tokens=max_new_tokens)
    rows = [row[0] for row in drawn]
    return summary(rows, answer_ranks(base, rows), tokenizer)


def answer_ranks(model, rows: Items[Answered], *, max_tokens: int = 8192) -> list[list[int]]:
    """The rank of every token of every answer under `model`."""
    sequences = [as_sequence(row) for row in rows]
    room = max(max_tokens, max((len(row.tokens) for row in sequences), default=1))
    found: list[list[int]] = []
    for batch in micro_batches(sequences, max_tokens=room):
        batch = batch.to(model.device)
        found += [part.tolist() for part in split(token_ranks(model, batch), batch)]
    return found


def summary(rows: Items[Answered], ranks: Items[Items[int]], tokenizer) -> Shift:
    """The shares of given ranks, one list an answer."""
    places: list[list[int]] = []
    seen: Counter[int] = Counter()
    moved: Counter[int] = Counter()
    for row, own in zip(rows, ranks, strict=True):
        for place, (token, rank) in enumerate(zip(row.answer.tokens, own, strict=True)):
            if place == len(places):
                places.append([0, 0, 0])
            places[place][kind_of(rank)] += 1
            seen[token] += 1
            moved[token] += kind_of(rank) == 2
    total = sum(seen.values())
    whole = [sum(place[kind] for place in places) / max(total, 1) for kind in range(3)]
    return Shift(
        unshifted=whole[0],
        marginal=whole[1],
        shifted=whole[2],
        tokens=total,
        answers=len(rows),
        by_position=[_place(counts) for counts in places],
        most_shifted=[
            {"token": tokenizer.decode([token]), "shifted": count, "count": seen[token]}
            for token, count in sorted(moved.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_TOKENS]
            if count
        ],
        shown=[
            {
                "prompt": row.prompt.messages[-1].content,
                "tokens": [
                    [tokenizer.decode([token]), rank] for token, rank in zip(row.answer.tokens, own, strict=True)
                ],
            }
            for row, own in list(zip(rows, ranks, strict=True))[:: max(1, len(rows) // SHOWN_ANSWERS)][:SHOWN_ANSWERS]
        ],
    )


def _place(counts: list[int]) -> dict[str, float]:
    total = sum(counts)
    return {name: count / total for name, count in zip(NAMES, counts, strict=True)} | {"tokens": total}
