"""One model, many who ask: the same answers as alone, in pieces that are never taken back."""

import threading
import time

import pytest

from baro.core.errors import BaroError, DataError
from baro.core.types import Answer
from baro.data.records import Message, Prompt
from baro.evals.answers import answers, text_of
from baro.models.forward import token_log_probs
from baro.pipeline import speaker as module
from baro.pipeline.speaker import Speaker, Wish
from baro.pipeline.unfolding import Unfolding

ASK = [Message("user", "Colour of the cat?")]


@pytest.fixture(scope="module")
def speaker(whole):
    with Speaker(str(whole[1] / "sft")) as made:
        yield made


class Letters:
    """A tokenizer whose tokens are the bytes of the text."""

    def decode(self, tokens, skip_special_tokens=True):
        return bytes(tokens).decode("utf-8", "replace")


def unfold(text: str, *stops: str) -> tuple[list[str], bool]:
    unfolding, data, said = Unfolding(Letters(), stops), text.encode(), []
    for place, byte in enumerate(data):
        piece, stopped = unfolding.add(byte, last=place == len(data) - 1)
        said.append(piece)
        if stopped:
            return said, True
    return said, False


@pytest.mark.parametrize("text", ["plain words", "바로 말하기", "naïve — 한글 🙂 ok", "\u0645\u0631\u062d\u0628\u0627"])
def test_no_half_character_is_ever_said(text):
    said, _ = unfold(text)
    assert "".join(said) == text
    assert not any("\ufffd" in piece for piece in said)
    assert sum(map(bool, said)) == len(text), "each character as soon as it is whole"


def test_bytes_that_never_become_a_character_are_said_at_the_end():
    unfolding = Unfolding(Letters())
    said = [unfolding.add(byte, last=last)[0] for byte, last in ((97, False), (0xED, False), (0x95, True))]
    assert said == ["a", "", "\ufffd"]


@pytest.mark.parametrize(
    ("text", "stops", "said", "stopped"),
    [
        ("one\ntwo", ["\n"], "one", True),
        ("aab", ["ab"], "a", True),
        ("abc", ["abd"], "abc", False),
        ("xSTOPSTOQ", ["STOQ"], "xSTOP", True),
        ("first then", ["then", "en"], "first th", True),
        ("끝 그리고", ["그리"], "끝 ", True),
        ("STO", ["STOP"], "STO", False),
    ],
)
def test_stop_texts_end_an_answer_and_no_part_of_them_is_said(text, stops, said, stopped):
    pieces, found = unfold(text, *stops)
    # of several stops the one met first ends the answer, as soon as it is whole
    expected = said if stops != ["then", "en"] else "first "
    assert ("".join(pieces), found) == (expected, stopped)


def test_pieces_are_the_answer_that_sampling_gives(speaker):
    (row,) = answers(speaker.model, speaker.tokenizer, [Prompt(tuple(ASK))], temperature=0, max_new_tokens=12)
    pieces = list(speaker.said(speaker.prompt(ASK), Wish(temperature=0, max_new_tokens=12)))
    assert "".join(piece.text for piece in pieces) == row[0].text
    assert pieces[-1].finish == ("stop" if row[0].answer.ended else "length")
    assert pieces[-1].count == len(row[0].answer.tokens)
    tokens = [token for piece in pieces for token in piece.tokens]
    assert text_of(speaker.tokenizer, Answer(tokens, [], False)) == row[0].text


def test_a_seed_gives_the_same_answer_whoever_else_asks(speaker):
    wish = Wish(seed=5, max_new_tokens=20, samples=2)

    def say() -> dict[int, str]:
        found = {0: "", 1: ""}
        for piece in speaker.said(speaker.prompt(ASK), wish):
            found[piece.number] += piece.text
        return found

    alone = say()
    noise = [
        speaker.ask(speaker.prompt([Message("user", f"{n}?" * (n % 5 + 1))]), Wish(top_p=0.9), lambda _: None)
        for n in range(12)
    ]
    assert say() == alone
    for request in noise:
        request.cancel()
    assert alone[0] != alone[1]


def test_those_who_ask_at_once_share_passes(speaker, monkeypatch):
    passes, step = [], speaker.slots.step
    monkeypatch.setattr(speaker.slots, "step", lambda: (step(), passes.append(len(speaker.slots.live))))
    done = threading.Semaphore(0)
    for n in range(16):
        wish = Wish(temperature=0.5 + n / 10, max_new_tokens=10, stop=("never",))
        speaker.ask(speaker.prompt(ASK), wish, lambda piece: done.release() if piece.finish else None)
    for _ in range(16):
        assert done.acquire(timeout=30)
    assert max(passes) > 8
    assert len(passes) < 16 * 10 / 3


def test_tokens_are_reported_as_the_trainer_sees_them(speaker, make_row):
    prompt = speaker.prompt(ASK)
    pieces = list(speaker.said(prompt, Wish(seed=1, temperature=0.3, max_new_tokens=8, tops=3)))
    tokens = [token for piece in pieces for token in piece.tokens]
    noted = [one for piece in pieces for one in piece.noted]
    assert len(noted) == len(tokens) > 0
    expected = token_log_probs(speaker.model, make_row(prompt, tokens)).tolist()
    assert [one.log_prob for one in noted] == pytest.approx(expected, abs=2e-3)
    for one in noted:
        values = [value for _, value in one.tops]
        assert len(values) == 3
        assert values == sorted(values, reverse=True)
    read = speaker.thought([prompt + tokens], 1).result(30)[0]
    assert [one.log_prob for one in read[len(prompt) - 1 :]] == pytest.approx(expected, abs=2e-3)


def test_who_leaves_frees_the_slot(speaker):
    pieces = speaker.said(speaker.prompt(ASK), Wish(max_new_tokens=200))
    next(pieces)
    pieces.close()
    for _ in range(200):
        if not (speaker.slots.busy or speaker.requests):
            break
        time.sleep(0.01)
    assert not speaker.slots.busy
    assert not speaker.requests


def test_a_failed_pass_is_told_and_the_next_is_served(speaker, monkeypatch):
    monkeypatch.setattr(module.Slots, "step", lambda self: 1 / 0)
    with pytest.raises(BaroError, match="ZeroDivisionError"):
        list(speaker.said(speaker.prompt(ASK), Wish(max_new_tokens=2)))
    monkeypatch.undo()
    assert list(speaker.said(speaker.prompt(ASK), Wish(max_new_tokens=2)))[-1].finish


def test_a_prompt_that_leaves_no_room_is_refused(speaker):
    with pytest.raises(DataError, match="context is"):
        speaker.ask([5] * speaker.context, Wish(), lambda _: None)
    with pytest.raises(DataError, match="no tokens"):
        speaker.ask([], Wish(), lambda _: None)


def test_closing_tells_whoever_waits(whole):
    told = threading.Event()
    speaker = Speaker(str(whole[1] / "sft"))
    speaker.ask(speaker.prompt(ASK), Wish(), lambda piece: told.set() if piece.finish else None)
    speaker.close()
    assert told.is_set()
    with pytest.raises(BaroError, match="stopping"):
        speaker.ask(speaker.prompt(ASK), Wish(), lambda _: None)


@pytest.fixture
def make_row():
    def row(prompt, tokens):
        from baro.core.types import Sequence
        from baro.data.packing import micro_batches

        sequence = Sequence(prompt + tokens, [False] * len(prompt) + [True] * len(tokens))
        return next(iter(micro_batches([sequence], max_sequences=1)))

    return row
