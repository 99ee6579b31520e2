"""What PPO remembers stays with its answer, through shuffling, resuming and mixing; no model is needed to see it."""

import math
from types import SimpleNamespace

import pytest
import torch

from baro.core.types import Sequence


def fake_experience(number: int):
    from baro.recipes.experience import Experience

    sequences = [Sequence([1, 2, *range(10 * i, 10 * i + 1 + i)], [False, False] + [True] * (i + 1)) for i in range(4)]
    per_token = torch.arange(10.0) + 100 * number
    return Experience(sequences, per_token, per_token + 0.1, per_token + 0.2, per_token + 0.3)


@pytest.mark.incident("T39", "T12")
def test_every_answer_keeps_its_own_figures_when_minibatches_are_shuffled():
    experience = fake_experience(0)
    # answers have 1, 2, 3, 4 tokens: their figures begin at 0, 1, 3, 6
    batches = experience.batches([2, 0, 3], max_sequences=2)
    assert [batch.extra["old_log_probs"].tolist() for batch in batches] == [[3, 4, 5, 0], [6, 7, 8, 9]]
    assert [batch.count for batch in batches] == [4, 4]
    assert batches[1].extra["values"].tolist() == pytest.approx([6.3, 7.3, 8.3, 9.3])


@pytest.mark.invariant("I61")
@pytest.mark.incident("T43")
@pytest.mark.parametrize("stop", range(9))
def test_rollouts_resume_inside_an_epoch_with_the_experience_they_had(stop):
    from baro.recipes.experience import Rollouts

    def updates(act):
        return Rollouts(act, rollouts=2, epochs=2, minibatches=2, max_sequences=1, seed=3)

    def figures(update):
        return [{name: value.tolist() for name, value in batch.extra.items()} for batch in update]

    whole = [figures(update) for update in updates(fake_experience)]
    assert len(whole) == 8
    first = updates(fake_experience)
    for _ in range(stop):
        next(first)
    seen: list[int] = []

    def act_again(number: int):
        seen.append(number)
        return fake_experience(number)

    second = updates(act_again)
    second.restore(first.state())
    assert [figures(update) for update in second] == whole[stop:]
    assert seen == [0, 1][math.ceil(stop / 4) :]  # no rollout that had begun is sampled again


@pytest.mark.invariant("I34")
def test_a_mix_of_weight_0_is_no_mix(world, settings, tmp_path, model):
    from baro.data.packing import pack
    from baro.models.load import load_tokenizer
    from baro.recipes.mixture import TextMix

    tokenizer, config = load_tokenizer(model), SimpleNamespace(max_length=64, seed=0, output_dir=tmp_path)
    batches = [pack([Sequence([1, 2, 3], [False, True, True])]), pack([Sequence([1, 2], [False, True])])]
    assert TextMix([world / "text.jsonl"], 0.0, tokenizer, config)(0, batches) is batches
    assert TextMix([], 27.8, tokenizer, config)(0, batches) is batches
    *rest, text = TextMix([world / "text.jsonl"], 2.0, tokenizer, config)(5, batches)
    assert rest == batches
    # the update divides by 3 tokens: the mean loss of the text must come out weighted by 2
    assert text.count == 0
    learnt = int(text.learn.sum())
    assert text.extra["weight"].item() * learnt / 3 == pytest.approx(2.0, rel=1e-6)
