from __future__ import annotations

import copy
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from baro.core.errors import BaroError, DataError
from baro.core.types import Answer
from baro.models import attention, forward, store
from baro.models import sample as module
from baro.models.draw import draw, stream, uniforms
from baro.models.sample import Sampling, sample
from baro.models.support import support

RANDOM = Sampling(temperature=0.8, max_new_tokens=12, end_tokens=(2, 5, 7))
GREEDY = Sampling(temperature=0, max_new_tokens=10, end_tokens=(2,))


def prompts(count: int = 9, seed: int = 0) -> list[list[int]]:
    draws = random.Random(seed)
    return [[draws.randrange(8, 67) for _ in range(draws.choice([1, 3, 5, 9, 14]))] for _ in range(count)]


def tokens_of(answers) -> list[list[list[int]]]:
    return [[answer.tokens for answer in row] for row in answers]


def log_probs_of(answers) -> torch.Tensor:
    return torch.tensor([value for row in answers for answer in row for value in answer.log_probs], dtype=torch.float64)


@pytest.mark.invariant("I9", "I35", "I40")
@pytest.mark.incident("T32", "T33")
def test_the_sampler_believes_what_the_trainer_believes(architecture, make, as_batch):
    model = make(architecture)
    answers = sample(model, prompts(), sampling=RANDOM, samples=3, seed=1, slots=4)
    trained = forward.token_log_probs(model, as_batch(prompts(), answers), temperature=0.8)
    torch.testing.assert_close(log_probs_of(answers), trained.detach(), rtol=0, atol=1e-9)


@pytest.mark.invariant("I9")
def test_greedy_answers_equal_generate(architecture, make, exact):
    model = make(architecture)
    reference = copy.deepcopy(model)
    answers = sample(model, prompts(4), sampling=GREEDY, slots=3)
    for prompt, row in zip(prompts(4), answers, strict=True):
        expected = reference.generate(torch.tensor([prompt]), max_new_tokens=10, do_sample=False, eos_token_id=2)
        assert row[0].tokens == expected[0, len(prompt) :].tolist()
        assert row[0].log_probs == [0.0] * len(row[0].tokens)


@pytest.mark.invariant("I9")
@pytest.mark.parametrize("slots", [1, 2, 5])
def test_an_answer_does_not_depend_on_slots(make, slots):
    model = make("gemma2")
    expected = tokens_of(sample(model, prompts(6), sampling=RANDOM, samples=2, seed=1))
    assert tokens_of(sample(model, prompts(6), sampling=RANDOM, samples=2, seed=1, slots=slots)) == expected


def test_an_answer_does_not_depend_on_its_neighbours_or_their_order(make):
    model, asked = make("llama"), prompts()
    together = tokens_of(sample(model, asked, sampling=RANDOM, samples=2, seed=3, first_row=100, slots=3))
    for row in (0, 4, 8):
        alone = sample(model, [asked[row]], sampling=RANDOM, samples=2, seed=3, first_row=100 + row)
        assert tokens_of(alone) == [together[row]]
    more = tokens_of(sample(model, asked, sampling=RANDOM, samples=4, seed=3, first_row=100))
    assert [row[:2] for row in more] == together


def test_seed_row_and_sample_all_matter(make):
    model, same = make("llama"), [[9, 10]] * 3
    long = Sampling(max_new_tokens=12)
    first = tokens_of(sample(model, same, sampling=long, samples=3, seed=0))
    assert len({tuple(answer) for row in first for answer in row}) == 9
    assert tokens_of(sample(model, same, sampling=long, samples=3, seed=0)) == first
    assert tokens_of(sample(model, same, sampling=long, samples=3, seed=1)) != first


@pytest.mark.parametrize("room", [1, 20, 8192])
def test_a_prompt_prefilled_again_or_copied_gives_the_same(make, monkeypatch, room):
    """One slot: every sample prefills anew. Two: the second copies from the first. Little room: one prompt a pass."""
    model, asked, short = make("gpt2"), prompts(3), replace(RANDOM, max_new_tokens=5)
    expected = tokens_of(sample(model, asked, sampling=short, samples=3, seed=1))
    monkeypatch.setattr(module, "PREFILL", room)
    for slots in (1, 2, 3):
        assert tokens_of(sample(model, asked, sampling=short, samples=3, seed=1, slots=slots)) == expected


def test_samples_of_a_prompt_share_one_prefill(make, monkeypatch):
    model, fed = make("llama"), []
    support(model)
    run = module.trunk.run
    monkeypatch.setattr(module.trunk, "run", lambda *given: (fed.append(len(given[1])), run(*given))[1])
    sample(model, [[9, 10, 11, 12]], sampling=Sampling(max_new_tokens=1), samples=6)
    assert fed == [4]
    fed.clear()
    sample(model, [[9, 10, 11, 12]], sampling=Sampling(max_new_tokens=3), samples=6)
    assert fed == [4, 6, 6]


@pytest.mark.invariant("I9", "I40")
@pytest.mark.incident("T32")
@pytest.mark.parametrize("samples", [1, 3])
def test_sequences_of_all_lengths_come_and_go(make, as_batch, monkeypatch, samples):
    """Forty prompts through twelve slots in groups: each slot changes hands, columns run out, groups are split anew."""
    monkeypatch.setattr(store, "CALL", 5)
    model, draws = make("llama", max_position_embeddings=400), random.Random(0)
    asked = [[draws.randrange(8, 67) for _ in range(draws.choice([1, 10, 30, 100]))] for _ in range(40)]
    wide = Sampling(max_new_tokens=60, end_tokens=(2, 5))
    answers = sample(model, asked, sampling=wide, samples=samples, seed=1, slots=12)
    trained = forward.token_log_probs(model, as_batch(asked, answers))
    torch.testing.assert_close(log_probs_of(answers), trained.detach(), rtol=0, atol=1e-9)


@pytest.mark.invariant("I9")
def test_answers_to_few_and_to_many_of_a_prompt_go_on_side_by_side(make):
    """As people ask: one answer here, five there; some no longer wait for theirs. Each is what it is alone."""
    model, asked, counts = make("gemma2"), prompts(9), [1, 5, 1, 2, 6, 1, 3, 1, 2]
    support(model)
    wanted = [
        module.Wanted(row, number, asked[row], 12, stream(3, row, number), RANDOM)
        for row, count in enumerate(counts)
        for number in range(count)
    ]
    slots, steps = module.Slots(model, 5), 0
    slots.waiting.extend(wanted)
    while slots.busy:
        slots.step()
        steps += 1
        for item in slots.live:
            item.dropped = item.row == 4 and item.number > 2 and steps > 8
        slots.leave()
        assert len(slots.prompts) <= len(slots.live) + 6
    slots.settle()
    assert slots.prompts == []
    for row, count in enumerate(counts):
        alone = sample(model, [asked[row]], sampling=RANDOM, samples=count, seed=3, first_row=row)
        found = [item.tokens for item in wanted if item.row == row]
        whole = [answer.tokens for answer in alone[0]]
        assert found[:3] == whole[:3]
        assert all(one == two[: len(one)] for one, two in zip(found, whole, strict=True))


def test_a_prompt_of_several_answers_lies_there_once(make):
    model = make("llama", max_position_embeddings=400)
    support(model)
    slots = module.Slots(model, 8)
    for row in range(2):
        slots.waiting.extend(
            module.Wanted(row, number, [9] * 300, 4, stream(0, row, number), RANDOM) for number in range(4)
        )
    with torch.no_grad():
        slots.step()
    assert [prompt.row for prompt in slots.prompts] == [0, 1]
    assert [item.stored for item in slots.live] == [0] * 8
    assert slots.own.length == store.BLOCK
    assert slots.shared.slots == 2


@pytest.mark.invariant("I40")
def test_training_goes_on_after_sampling_as_if_nothing_had_been(architecture, make, as_batch):
    """What a model or its attention keeps between calls must serve training too."""
    asked = [[9, 10, 11], list(range(12, 26)), [30] * 9, [31, 32]]
    given = [[Answer(prompt[-1:], [0.0], ended=False)] for prompt in asked]

    def gradients(sampled: bool):
        model = make(architecture)
        attention._band.cache_clear()
        if sampled:
            sample(model, asked, sampling=RANDOM, seed=1)
        forward.token_log_probs(model, as_batch([prompt[:-1] for prompt in asked], given)).sum().backward()
        return [parameter.grad for parameter in model.parameters() if parameter.grad is not None]

    for one, two in zip(gradients(True), gradients(False), strict=True):
        assert torch.equal(one, two)


def test_finished_rows_leave_and_waiting_ones_take_their_slots(make, monkeypatch):
    model, fed = make("llama"), []
    support(model)
    run = module.trunk.run
    monkeypatch.setattr(module.trunk, "run", lambda *given: (fed.append(len(given[3].places)), run(*given))[1])
    answers = sample(model, prompts(12), sampling=RANDOM, seed=2, slots=3)
    lengths = [len(row[0].tokens) for row in answers]
    assert len(set(lengths)) > 2
    assert sum(fed) == sum(lengths) - 12, "one token a live sequence and pass; the first of each comes from its prefill"
    assert max(fed) <= 3
    assert len(fed) < sum(lengths) / 3 + 12, "slots are hardly ever empty"


@pytest.mark.incident("T21")
def test_answers_end_at_the_first_end_token_or_at_the_limit(make):
    answers = sample(make("llama"), prompts(30), sampling=RANDOM, seed=0)
    ended = [row[0] for row in answers if row[0].ended]
    cut = [row[0] for row in answers if not row[0].ended]
    assert ended
    assert cut
    for answer in ended:
        assert answer.tokens[-1] in (2, 5, 7)
        assert not {2, 5, 7} & set(answer.tokens[:-1])
    for answer in cut:
        assert len(answer.tokens) == 12
        assert not {2, 5, 7} & set(answer.tokens)
    assert all(len(row[0].tokens) == len(row[0].log_probs) for row in answers)


def test_an_answer_ends_where_it_is_told_to(make):
    model, asked = make("llama"), prompts(12)
    whole = tokens_of(sample(model, asked, sampling=RANDOM, seed=2))
    found = tokens_of(sample(model, asked, sampling=RANDOM, seed=2, slots=3, stopped=lambda tokens: len(tokens) >= 4))
    assert found == [[answer[:4] for answer in row] for row in whole]
    assert any(len(answer) > 4 for row in whole for answer in row)


def test_the_context_cuts_answers_and_refuses_prompts_that_fill_it(make):
    model = make("gpt2")
    (row,) = sample(model, [[9] * 60], sampling=Sampling(max_new_tokens=50))
    assert len(row[0].tokens) == 4
    assert not row[0].ended
    with pytest.raises(DataError, match="64 tokens and the model's context is 64"):
        sample(model, [[9] * 64], sampling=RANDOM)
    with pytest.raises(DataError, match="no tokens"):
        sample(model, [[9], []], sampling=RANDOM)
    with pytest.raises(BaroError, match="max_new_tokens"):
        sample(model, [[9]], sampling=Sampling(max_new_tokens=0))
    with pytest.raises(BaroError, match="samples is 0"):
        sample(model, [[9]], sampling=RANDOM, samples=0)
    assert sample(model, [], sampling=RANDOM) == []


def test_the_cache_grows_past_its_first_block(make, as_batch):
    model = make("llama", max_position_embeddings=400)
    asked = [[9] * 3, [10] * 150]
    answers = sample(model, asked, sampling=Sampling(max_new_tokens=100), seed=5)
    trained = forward.token_log_probs(model, as_batch(asked, answers))
    torch.testing.assert_close(log_probs_of(answers), trained.detach(), rtol=0, atol=1e-9)


def test_the_model_is_left_as_it_was_and_sampled_without_dropout(make):
    model = make("gpt2").train()
    model.transformer.h[0].eval()
    answers = sample(model, prompts(), sampling=RANDOM, seed=1)
    assert model.training
    assert not model.transformer.h[0].training
    assert model.transformer.h[1].training
    assert tokens_of(answers) == tokens_of(sample(model.eval(), prompts(), sampling=RANDOM, seed=1))


def test_progress_counts_finished_answers(make):
    seen = []
    sample(make("llama"), prompts(), sampling=RANDOM, samples=2, slots=4, progress=lambda *given: seen.append(given))
    assert seen[-1] == (18, 18)
    assert seen == sorted(seen)


def test_other_architectures_sample_through_generate_with_the_same_draws():
    """A state-space model: its answers match drawing token by token from its full forward."""
    import transformers

    torch.manual_seed(0)
    config = transformers.MambaConfig(vocab_size=67, hidden_size=32, num_hidden_layers=2, state_size=4, pad_token_id=0)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    asked = [[9, 10, 11], [12, 13, 14]]
    with pytest.warns(UserWarning, match="does not take packed rows"):
        answers = sample(model, asked, sampling=RANDOM, samples=2, seed=4)
    for row, prompt in enumerate(asked):
        for number in range(2):
            tokens = list(prompt)
            for step in range(12):
                logits = model(input_ids=torch.tensor([tokens])).logits[:, -1]
                uniform = uniforms(
                    np.array([stream(4, row, number)], dtype=np.uint64), np.array([step], dtype=np.uint64)
                )
                tokens.append(int(draw(logits, uniform, RANDOM)[0]))
                if tokens[-1] in RANDOM.end_tokens:
                    break
            assert answers[row][number].tokens == tokens[3:]


def test_slots_fill_a_fixed_share_of_memory(make, monkeypatch):
    """Two layers, keys and values of 2 heads x 8 in float64: 512 bytes a token; 100 tokens a sequence: 51,200 bytes."""
    model = make("llama")
    assert module.fitting(model, 100) == module.MOST
    monkeypatch.setattr(module, "CACHE", 10 * 51_200 + 51_199)
    assert module.fitting(model, 100) == 10
    monkeypatch.setattr(module, "CACHE", 1)
    assert module.fitting(model, 100) == 1
