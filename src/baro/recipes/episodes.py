"""Episodes: the policy answers, an environment may answer back, and what each answer earned is kept with it."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass, field

import torch

from baro.core.errors import BaroError
from baro.core.types import Sequence
from baro.data.records import Message, Prompt
from baro.data.templates import end_tokens, render_replies
from baro.engine import dist
from baro.evals.answers import Answered, answers, text_of
from baro.models.sample import Sampling, sample
from baro.objectives.advantage import place_score
from baro.recipes.scoring import Scores
from baro.rewards.environment import Environment, State, started, stepped


@dataclass(frozen=True)
class Episode:
    """What one prompt led to.

    Attributes:
        turns: the policy's answers in order; the prompt of each holds all that was said before it.
        rewards: what each of them earned, reward units.
    """

    turns: tuple[Answered, ...]
    rewards: tuple[float, ...]

    @property
    def score(self) -> float:
        """What the whole episode earned."""
        return sum(self.rewards)

    @property
    def ended(self) -> bool:
        """Whether the last answer ended by itself."""
        return self.turns[-1].answer.ended

    @property
    def said(self) -> list[dict[str, str]]:
        """Everything behind the prompt, as messages: the policy is the assistant."""
        last = self.turns[-1]
        messages = (*last.prompt.messages[len(self.turns[0].prompt.messages) :], Message("assistant", last.text))
        return [message.as_dict() for message in messages]

    @property
    def sequence(self) -> Sequence:
        """All that was said; the policy's own tokens are the learnt ones."""
        last = self.turns[-1]
        tokens = last.prompt_tokens + last.answer.tokens
        learn = [False] * len(tokens)
        for turn in self.turns:
            start, length = len(turn.prompt_tokens), len(turn.answer.tokens)
            learn[start : start + length] = [True] * length
        return Sequence(tokens, learn, last.prompt.where)

    def earned(self) -> torch.Tensor:
        """(n,) reward units of each of the policy's own tokens: what a turn earned, at its last token."""
        bare = [torch.zeros(1, len(turn.answer.tokens)) for turn in self.turns]
        scores = torch.tensor(self.rewards)[:, None]
        pieces = [place_score(row, row == 0, score) for row, score in zip(bare, scores, strict=True)]
        return torch.cat(pieces, 1)[0]


@dataclass
class _Live:
    """An episode under way; `row` is the number that its random stream comes from."""

    row: int
    state: State
    turns: list[Answered]
    rewards: list[float] = field(default_factory=list)
    over: bool = False


def play(
    config,
    model,
    tokenizer,
    prompts: Items[Prompt],
    score: Scores | None,
    *,
    world: Environment | None = None,
    samples: int = 1,
    first_row: int = 0,
) -> list[list[Episode]]:
    """`samples` episodes from every prompt, (B, K). Every rank plays its part; every rank gets all.

    An answer without end token earns -`missing_eos_penalty`, whatever it says, and with that setting ends its episode.

    Args:
        config: temperature, max_completion_length (tokens of each answer), missing_eos_penalty, reward_timeout, seed.
        score: what the last answer of an episode earns beside what the environment pays.
        world: without one an episode is one answer.
        first_row: an episode depends on (seed, first_row + its prompt's place, its number) and the model alone.

    Raises:
        BaroError: on every rank, when the reward or the environment failed on one of them.
    """
    first, last = dist.part(len(prompts))
    options = {"samples": samples, "first_row": first_row + first}
    found: list[list[Episode]] | BaroError
    try:
        found = _play(config, model, tokenizer, prompts[first:last], score, world, **options)
    except BaroError as error:
        found = error
    everywhere: list[list[Episode]] = []
    for part in dist.share(found):
        if isinstance(part, BaroError):
            raise part
        everywhere += part
    return everywhere


@torch.no_grad()
def _play(
    config,
    model,
    tokenizer,
    prompts: Items[Prompt],
    score: Scores | None,
    world: Environment | None,
    *,
    samples: int,
    first_row: int,
) -> list[list[Episode]]:
    penalty, limit = config.missing_eos_penalty, config.reward_timeout
    if world is not None:
        seeds = [config.seed * 1_000_003 + first_row + place for place in range(len(prompts))]
        states = started(world, prompts, seeds, seconds=limit)
        prompts = [state.as_prompt() for state in states]
    drawn = answers(
        model,
        tokenizer,
        prompts,
        temperature=config.temperature,
        max_new_tokens=config.max_completion_length,
        samples=samples,
        seed=config.seed,
        first_row=first_row,
    )
    every = [
        _Live((first_row + place) * samples + number, State(p.messages, p.columns, p.plain, p.where), [answer])
        for place, (p, row) in enumerate(zip(prompts, drawn, strict=True))
        for number, answer in enumerate(row)
    ]
    if world is not None:
        _converse(config, model, tokenizer, every, world)
    last = [live.turns[-1] for live in every]
    scores = score(last) if score is not None else [0.0] * len(every)
    for live, value in zip(every, scores, strict=True):
        paid = sum(live.rewards[len(live.turns) - 1 :]) + value
        cut = penalty is not None and not live.turns[-1].answer.ended
        live.rewards[len(live.turns) - 1 :] = [-penalty if cut and penalty is not None else paid]
    found = [Episode(tuple(live.turns), tuple(live.rewards)) for live in every]
    return [found[start : start + samples] for start in range(0, len(found), samples)]


def _converse(config, model, tokenizer, every: list[_Live], world: Environment) -> None:
    """Step the episodes together until each is over; they grow by turns and rewards."""
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    sampling = Sampling(
        config.temperature, max_new_tokens=config.max_completion_length, end_tokens=end_tokens(tokenizer)
    )
    for turn in range(1, world.max_turns + 1):
        live = [each for each in every if not each.over]
        states, actions = [each.state for each in live], [each.turns[-1].text for each in live]
        for each, step in zip(live, stepped(world, states, actions, seconds=config.reward_timeout), strict=True):
            each.rewards.append(step.reward)
            cut = config.missing_eos_penalty is not None and not each.turns[-1].answer.ended
            each.over = step.observation is None or turn == world.max_turns or cut
            if not each.over:
                each.state = each.state.after(each.turns[-1].text, step)
        live = [each for each in live if not each.over]
        asked = [each.state.as_prompt() for each in live]
        replies = render_replies(tokenizer, asked, ended=[each.turns[-1].answer.ended for each in live])
        tokens = [
            each.turns[-1].prompt_tokens + each.turns[-1].answer.tokens + reply
            for each, reply in zip(live, replies, strict=True)
        ]
        fits = [context is None or len(ids) < context for ids in tokens]
        for each, room in zip(live, fits, strict=True):
            each.over = not room
        going = [row for row, room in zip(zip(live, asked, tokens, strict=True), fits, strict=True) if room]
        if not going:
            return
        live, asked, tokens = (list(column) for column in zip(*going, strict=True))
        seed = config.seed + 7_919 * turn  # another random stream for every turn
        drawn = sample(model, tokens, sampling=sampling, seed=seed, rows=[each.row for each in live])
        for each, prompt, ids, (answer,) in zip(live, asked, tokens, drawn, strict=True):
            each.turns.append(Answered(prompt, ids, answer, text_of(tokenizer, answer)))
