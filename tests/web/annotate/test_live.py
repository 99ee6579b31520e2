"""Answers sampled while people work, and the order by doubt."""

import math

import pytest
import torch

from baro.data.choices.order import ahead, upcoming
from baro.data.records import Message, Prompt
from baro.web.annotate.doubt import sureness


def test_sureness_is_the_distance_from_a_coin():
    assert sureness([[0.0, math.log(3), -math.log(3), 1000.0, -1000.0]]) == pytest.approx([0, 0.25, 0.25, 0.5, 0.5])


def test_models_that_contradict_each_other_are_unsure_together():
    assert sureness([[5.0, 5.0], [-5.0, 5.0]])[0] == pytest.approx(0)
    assert sureness([[5.0, 5.0], [-5.0, 5.0]])[1] > 0.49


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny random language model."""
    from baro.data.tokenizer import train_bpe
    from baro.models import create
    from baro.models.load import save

    torch.manual_seed(0)
    tokenizer = train_bpe((f"Question {n}? Answer {n}, friend." for n in range(50)), 300)
    folder = tmp_path_factory.mktemp("model")
    save(create.language_model(20_000, tokenizer, max_length=64, seed=1), tokenizer, folder)
    return str(folder)


def prompts(count):
    return [Prompt((Message("user", f"Question {n}?"),)) for n in range(count)]


def test_a_few_pairs_are_kept_ready_and_more_come_as_they_are_judged(model, store, until):
    from baro.web.annotate.live import AHEAD, CHUNK, Sampler

    sampling = {"temperature": 1.0, "max_new_tokens": 6, "seed": 0}
    sampler = Sampler(store, [model], prompts(40), **sampling)
    sampler.start()
    until(lambda: ahead(store) >= AHEAD)
    assert len(store.all_pairs()) <= AHEAD + CHUNK
    store.join("kim")
    for number in range(10):
        store.decide("kim", upcoming(store, "kim").number, "a", f"c{number}")
    until(lambda: len(store.all_pairs()) > AHEAD + CHUNK)
    assert sampler.state() == (True, "")
    sampler.stop()
    assert sampler.state() == (False, "")
    known = len(store.all_pairs())
    again = Sampler(store, [model], prompts(40), **sampling)
    again.start()  # goes on where it was left: no prompt twice
    until(lambda: not again.thread.is_alive() or ahead(store) >= AHEAD)
    again.stop()
    texts = [pair.prompt for pair in store.all_pairs().values()]
    assert len(set(texts)) == len(texts) >= known


def test_one_model_answers_twice_and_what_goes_wrong_is_told(model, store, until):
    from baro.web.annotate.live import Sampler

    sampling = {"temperature": 1.0, "max_new_tokens": 6, "seed": 0}
    pair = Sampler(store, [model], prompts(4), **sampling).pairs(0)[0]
    assert pair.a != pair.b
    assert pair.models[0] == pair.models[1]
    broken = Sampler(store, [model], [Prompt((Message("user", "too long " * 100),))], **sampling)
    broken.start()
    until(lambda: not broken.thread.is_alive())
    assert "context" in broken.state()[1]
