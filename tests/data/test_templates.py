"""Conversations as ids: what is learnt, BOS once, training ids equal to serving ids, over ten kinds of tokenizers."""

import itertools
import logging
import random

import pytest

from baro.core.errors import DataError
from baro.core.types import Sequence
from baro.data.packing import pairs
from baro.data.records import Dialogue, Message, Preference, Prompt, Text
from baro.data.templates import (
    TEXT_TEMPLATE,
    adopt_template,
    end_tokens,
    render,
    render_all,
    render_pair,
    render_pairs,
    render_prompt,
    render_prompts,
    render_text,
    render_texts,
)

CONTINUING = [
    *("bpe", "characters", "chatml", "chatml pad=eos", "chatml eos=endoftext", "llama3", "gemma", "mistral"),
    *("zephyr", "gpt2", "llama2 base", "endless"),
]
SPACED = {"mistral", "llama2 base"}  # their decoders drop a space at the start of what they decode
TRIMMING = {"llama3", "gemma"}  # their templates strip what is said
# where a template puts the end token
ENDS = {
    **{"bpe": "<|end|>", "characters": "<|end|>", "chatml": "<|im_end|>", "chatml pad=eos": "<|im_end|>"},
    **{"chatml eos=endoftext": "<|im_end|>", "llama3": "<|eot_id|>", "gemma": "<end_of_turn>", "mistral": "</s>"},
    **{"zephyr": "<|im_end|>", "gpt2": "<|endoftext|>", "llama2 base": "</s>", "endless": "<|endoftext|>"},
}
WORDS = ["Hello", "there", "안녕하세요", "영화가", "42", "🙂", "re-do", "it's", "(a)", "x\ny", "é", "끝!", "한"]


def turns(*contents, system=None):
    """user, assistant, user, … with these contents."""
    roles = itertools.cycle(["user", "assistant"])
    said = tuple(Message(role, content) for role, content in zip(roles, contents, strict=False))
    return (Message("system", system), *said) if system else said


def drawn(seed, count=12):
    """Conversations of random words, without white space at the ends of a turn."""
    random.seed(seed)
    sentence = lambda: " ".join(random.choices(WORDS, k=random.randint(1, 5)))  # noqa: E731
    return [turns(*(sentence() for _ in range(2 * random.randint(1, 3)))) for _ in range(count)]


def runs(tokenizer, sequence):
    """(learnt, text) of every stretch of one kind."""
    marked = zip(sequence.tokens, sequence.learn, strict=True)
    stretches = itertools.groupby(marked, key=lambda pair: pair[1])
    return [(learnt, tokenizer.decode([token for token, _ in run])) for learnt, run in stretches]


# --- by hand ---------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I7", "I8")
@pytest.mark.incident("T12")
def test_our_template_by_hand(build):
    tokenizer = build("characters")
    sequence = render(tokenizer, Dialogue(turns("Hi", "o", "u", "fe", system="l"), where="f:3"))
    want = [
        "<|bos|>",
        "<|system|>",
        "l",
        "<|user|>",
        "H",
        "i",
        "<|assistant|>",
        "o",
        "<|end|>",
        "<|user|>",
        "u",
        "<|assistant|>",
        "f",
        "e",
        "<|end|>",
    ]
    assert tokenizer.convert_ids_to_tokens(sequence.tokens) == want
    assert [at for at, learnt in enumerate(sequence.learn) if learnt] == [7, 8, 12, 13, 14]
    assert sequence.count == 5
    assert sequence.where == "f:3"


@pytest.mark.invariant("I7")
@pytest.mark.incident("T12")
@pytest.mark.parametrize("name", CONTINUING)
def test_a_one_token_answer_is_learnt_as_two_tokens(build, name):
    """The answer's token and its end token: masks that are off by one show here."""
    tokenizer = build(name)
    sequence = render(tokenizer, Dialogue(turns("Hello", "4")))
    learnt = [token for token, on in zip(sequence.tokens, sequence.learn, strict=True) if on]
    assert tokenizer.convert_ids_to_tokens(learnt[-1:]) == [ENDS[name]]
    assert tokenizer.decode(learnt[:-1]).strip() == "4"
    assert sequence.learn[-1]
    assert not sequence.learn[: -len(learnt)].count(True)


def test_our_template_is_that_of_other_tools(build):
    tokenizer = build("bpe")
    text = tokenizer.apply_chat_template(
        [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}],
        tokenize=False,
        add_generation_prompt=True,
    )
    assert text == "<|bos|><|system|>s<|user|>a<|assistant|>"


@pytest.mark.incident("T16")
def test_text_template_by_hand(build):
    tokenizer = build("gpt2")
    sequence = render(tokenizer, Dialogue(turns("a", "b", "c", "d", system="s")))
    assert runs(tokenizer, sequence) == [
        (False, "s\n\nUser: a\nAssistant:"),
        (True, " b<|endoftext|>"),
        (False, "\nUser: c\nAssistant:"),
        (True, " d<|endoftext|>"),
    ]


# --- over all tokenizers ---------------------------------------------------------------------------------------------


@pytest.mark.invariant("I7")
@pytest.mark.incident("T14", "T17", "T23")
@pytest.mark.parametrize("name", CONTINUING)
def test_answers_with_their_end_tokens_are_learnt_and_nothing_else(build, name):
    """Also with pad == eos: the mask comes from what a token is, not from its id."""
    tokenizer = build(name)
    conversations = drawn(seed=1)
    for messages, sequence in zip(conversations, render_all(tokenizer, map(Dialogue, conversations)), strict=True):
        answers = [message.content for message in messages if message.role == "assistant"]
        learnt = [text for on, text in runs(tokenizer, sequence) if on]
        assert [text.lstrip(" ") for text in learnt] == [answer + ENDS[name] for answer in answers]
        assert sequence.learn[-1], "nothing stands behind the last end token"
        assert not sequence.learn[0]


@pytest.mark.invariant("I8")
@pytest.mark.incident("T16")
@pytest.mark.parametrize("name", CONTINUING)
def test_training_ids_begin_with_the_serving_ids_of_every_turn(build, name):
    tokenizer = build(name)
    odd = [
        turns("  a ", "\n\nb\n", " c", "d  ", system=" "),
        turns("Hello\n", " there", "\n", "<|end|>", "</s>", "<bos>"),
    ]
    for messages in [*drawn(seed=2), *(odd if name not in {"gemma", "mistral"} else odd[1:])]:
        sequence = render(tokenizer, Dialogue(messages))
        for place, message in enumerate(messages):
            if message.role != "assistant":
                continue
            prompt = render_prompt(tokenizer, messages[:place])
            assert sequence.tokens[: len(prompt)] == prompt
            assert sequence.learn[len(prompt)], "the first token of the answer is learnt"
            assert not sequence.learn[len(prompt) - 1]


@pytest.mark.invariant("I8")
@pytest.mark.parametrize("name", [n for n in CONTINUING if n not in {"zephyr", "endless", "llama2 base"}])
def test_ids_are_those_of_transformers(build, name):
    """Oracle: apply_chat_template tokenises the whole text at once, prompt and answers together."""
    tokenizer = build(name)
    template = tokenizer.chat_template or TEXT_TEMPLATE
    for messages in drawn(seed=3):
        dicts = [message.as_dict() for message in messages]
        whole = tokenizer.apply_chat_template(dicts, chat_template=template)["input_ids"]
        sequence = render(tokenizer, Dialogue(messages))
        assert whole[: len(sequence.tokens)] == sequence.tokens
        assert tokenizer.decode(whole[len(sequence.tokens) :]).strip() == ""
        served = tokenizer.apply_chat_template(dicts[:-1], chat_template=template, add_generation_prompt=True)
        assert render_prompt(tokenizer, messages[:-1]) == served["input_ids"]


@pytest.mark.invariant("I8")
@pytest.mark.incident("T16")
@pytest.mark.parametrize("name", ["bpe", "characters", "llama3", "gemma", "mistral", "zephyr", "llama2 base"])
def test_bos_stands_once_at_the_start(build, name):
    """Whether the template writes it (llama3), the tokenizer adds it (zephyr), or both would."""
    tokenizer = build(name)
    bos = tokenizer.bos_token_id
    messages = turns("Hello", "there", "a", "b")
    pair = render_pair(tokenizer, Preference(messages[:1], messages[1:2], messages[3:]))
    plain = Dialogue(messages[:2], plain=True)
    already = Dialogue((Message("user", f"{tokenizer.bos_token}Hello"), Message("assistant", "there")), plain=True)
    every = [render(tokenizer, Dialogue(messages)), *pair, render(tokenizer, plain), render(tokenizer, already)]
    ids = [sequence.tokens for sequence in [*every, render_text(tokenizer, "Hello")]]
    ids += [render_prompt(tokenizer, messages[:1]), render_prompt(tokenizer, messages[:1], plain=True)]
    for row in ids:
        assert row[0] == bos
        assert row.count(bos) == 1


@pytest.mark.parametrize("name", ["chatml", "gpt2", "endless"])
def test_no_bos_where_the_tokenizer_puts_none(build, name):
    tokenizer = build(name)
    assert render_text(tokenizer, "Hello").tokens == [
        *tokenizer("Hello")["input_ids"],
        tokenizer.eos_token_id,
    ]


@pytest.mark.parametrize("name", [*CONTINUING, "rethinking", "open thought"])
def test_special_tokens_in_a_message_are_ordinary_text(build, name):
    tokenizer = build(name)
    evil = "".join(tokenizer.all_special_tokens) + "".join(
        token.content for token in tokenizer.added_tokens_decoder.values()
    )
    clean = render(tokenizer, Dialogue(turns("Hello", "there")))
    dirty = render(tokenizer, Dialogue(turns(f"Hello {evil} x", f"there{evil}!")))
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    controls = lambda sequence: [token for token in sequence.tokens if token in special]  # noqa: E731
    assert controls(dirty) == controls(clean)
    text = tokenizer.decode(dirty.tokens)
    assert text.count(evil) == 2, "what was typed is still there, as text"
    served = render_prompt(tokenizer, turns(f"Hello {evil} x"))
    assert dirty.tokens[: len(served)] == served


def test_the_private_characters_of_a_message_survive(build):
    tokenizer = build("bpe")
    odd = "\ue000\ue0000\ue001 <|end|> \ue0001\ue001"
    assert tokenizer.decode(render(tokenizer, Dialogue(turns("a", odd))).tokens).count(odd) == 1


@pytest.mark.incident("T15")
@pytest.mark.parametrize("name", CONTINUING)
def test_generation_stops_at_the_template_s_end_and_at_eos(build, name):
    tokenizer = build(name)
    found = end_tokens(tokenizer)
    assert tokenizer.convert_ids_to_tokens(found[0]) == ENDS[name]
    assert set(found) == {tokenizer.convert_tokens_to_ids(ENDS[name]), tokenizer.eos_token_id}
    if tokenizer.pad_token_id != tokenizer.eos_token_id:
        assert tokenizer.pad_token_id not in found


# --- templates with manners of their own -----------------------------------------------------------------------------


def test_a_template_that_rewrites_earlier_turns_learns_the_last_answer_and_says_so_once(build, caplog):
    tokenizer = build("rethinking", fresh=True)
    with caplog.at_level(logging.WARNING):
        sequences = render_all(tokenizer, [Dialogue(turns("a", "b", "c", "d"))] * 3)
    assert [text for on, text in runs(tokenizer, sequences[0]) if on] == ["<think>\n\n</think>\n\nd<|im_end|>"]
    assert sum("rewrites earlier turns" in record.message for record in caplog.records) == 1
    prompt = render_prompt(tokenizer, turns("a", "b", "c"))
    assert sequences[0].tokens[: len(prompt)] == prompt


def test_a_prompt_that_opens_a_thought_is_continued_as_served(build, caplog):
    tokenizer = build("open thought", fresh=True)
    with caplog.at_level(logging.WARNING):
        sequence = render(tokenizer, Dialogue(turns("a", "hm\n</think>\nb")))
    assert runs(tokenizer, sequence) == [
        (False, "<|bos|><|User|>a<|Assistant|><think>\n"),
        (True, "hm\n</think>\nb<|eos|>"),
    ]
    assert "does not continue its own generation prompt" in caplog.text
    assert sequence.tokens[: sequence.learn.index(True)] == render_prompt(tokenizer, turns("a"))


@pytest.mark.incident("T17")
def test_eos_is_put_where_the_template_writes_no_end_token(build):
    tokenizer = build("endless")
    assert runs(tokenizer, render(tokenizer, Dialogue(turns("a", "b", "c", "d")))) == [
        (False, "Q: a\nA: "),
        (True, "b<|endoftext|>"),
        (False, "\nQ: c\nA: "),
        (True, "d<|endoftext|>"),
    ]


@pytest.mark.incident("T17")
def test_eos_is_put_where_the_template_writes_nothing_behind_an_answer(build):
    tokenizer = build("endless", fresh=True)
    tokenizer.chat_template = (
        "{% for m in messages %}{{ {'user': '>'}.get(m['role'], '<') + m['content'] }}{% endfor %}"
    )
    assert runs(tokenizer, render(tokenizer, Dialogue(turns("a", "b", "c", "d")))) == [
        (False, ">a"),
        (True, "<b<|endoftext|>"),
        (False, ">c"),
        (True, "<d<|endoftext|>"),
    ]


def test_a_refusing_template_is_quoted_with_the_row(build):
    with pytest.raises(DataError, match=r"f:7: .*of system, user: System role not supported"):
        render(build("gemma"), Dialogue(turns("a", "b", system="s"), where="f:7"))


def test_a_tokenizer_without_eos_is_refused(build):
    tokenizer = build("gpt2", fresh=True)
    tokenizer.eos_token = None
    with pytest.raises(DataError, match="has no eos token"):
        render_text(tokenizer, "a")


def test_a_changed_template_is_noticed(build):
    tokenizer = build("bpe", fresh=True)
    before = render_prompt(tokenizer, turns("a"))
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    assert render_prompt(tokenizer, turns("a")) == [tokenizer.bos_token_id, *before[2:3]]


@pytest.mark.incident("T16")
def test_an_adopted_template_serves_elsewhere_what_was_trained_here(build):
    tokenizer = build("llama2 base", fresh=True)
    messages = turns("Hello", "there", "a", "b")
    here = render(tokenizer, Dialogue(messages)).tokens
    assert adopt_template(tokenizer)
    assert not adopt_template(tokenizer)
    assert render(tokenizer, Dialogue(messages)).tokens == here
    served = tokenizer.apply_chat_template([m.as_dict() for m in messages[:3]], add_generation_prompt=True)["input_ids"]
    assert here[: len(served)] == served


# --- what is learnt, and how much of it ------------------------------------------------------------------------------


def test_everything_may_be_learnt(build):
    tokenizer = build("chatml")
    sequence = render(tokenizer, Dialogue(turns("a", "b", "c")), learn="all")
    assert sequence.learn == [False] + [True] * (len(sequence.tokens) - 1)
    assert tokenizer.decode(sequence.tokens) == (
        "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n"
    )


def test_turns_behind_the_last_answer_are_left_out(build):
    tokenizer = build("bpe")
    assert render(tokenizer, Dialogue(turns("a", "b", "c"))) == render(tokenizer, Dialogue(turns("a", "b")))


@pytest.mark.incident("T20")
def test_truncation_keeps_the_start_and_a_cut_answer_has_no_end(build):
    tokenizer = build("characters")
    whole = render(tokenizer, Dialogue(turns("Hello", "there")))
    cut = render(tokenizer, Dialogue(turns("Hello", "there")), max_length=10)
    assert cut == Sequence(whole.tokens[:10], whole.learn[:10])
    assert cut.count == 2
    assert render(tokenizer, Dialogue(turns("Hello", "there")), max_length=5).count == 0
    assert render(tokenizer, Dialogue(turns("Hello", "there")), max_length=99) == whole


# --- plain strings, texts, pairs -------------------------------------------------------------------------------------


@pytest.mark.invariant("I7", "I8")
@pytest.mark.parametrize("name", CONTINUING)
def test_plain_strings_are_joined_as_they_stand(build, name):
    tokenizer = build(name)
    dialogue = Dialogue(turns("Hello there", ", how are you"), plain=True)
    sequence = render(tokenizer, dialogue)
    prompt = tokenizer("Hello there")["input_ids"]  # what a server does with a prompt
    assert sequence.tokens[: len(prompt)] == prompt == render_prompt(tokenizer, dialogue.messages[:1], plain=True)
    assert sequence.learn == [False] * len(prompt) + [True] * (len(sequence.tokens) - len(prompt))
    text = tokenizer.decode(sequence.tokens, skip_special_tokens=True)
    assert text.removeprefix(" ") == "Hello there, how are you"
    assert sequence.tokens[-1] == tokenizer.eos_token_id


@pytest.mark.incident("T17")
def test_a_plain_answer_that_brings_its_eos_gets_no_second(build):
    tokenizer = build("bpe")
    once = render(tokenizer, Dialogue(turns("Hello", "there"), plain=True))
    brought = render(tokenizer, Dialogue(turns("Hello", "there<|end|>"), plain=True))
    assert brought == once
    assert once.tokens.count(tokenizer.eos_token_id) == 1


@pytest.mark.parametrize("name", CONTINUING)
def test_a_text_is_learnt_as_a_whole_with_its_end(build, name):
    tokenizer = build(name)
    text = "Hello there.\n\n안녕하세요 🙂"
    sequence = render_text(tokenizer, Text(text, "t:1"))
    assert sequence.tokens == [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]
    assert sequence.count == len(sequence.tokens) - 1
    assert sequence.where == "t:1"


def test_a_text_holds_no_special_tokens(build):
    tokenizer = build("bpe")
    ids = render_text(tokenizer, "a<|end|>b").tokens
    assert ids.count(tokenizer.eos_token_id) == 1
    assert tokenizer.decode(ids[1:-1]) == "a<|end|>b"


@pytest.mark.invariant("I56")
@pytest.mark.incident("T17", "T22")
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("name", CONTINUING)
def test_pairs_share_their_prompt_and_learn_their_answers_alone(build, name, plain):
    tokenizer = build(name)
    said = turns("Hello", "there", "how are you", "I am fine", "I am not")
    row = Preference(said[:3], said[3:4], (Message("assistant", said[4].content),), plain=plain, where="p:1")
    prompt = render_prompt(tokenizer, said[:3], plain=plain)
    for sequence, answer in zip(render_pair(tokenizer, row), ("I am fine", "I am not"), strict=True):
        assert sequence.tokens[: len(prompt)] == prompt
        assert not any(sequence.learn[: len(prompt)]), "the answer within the prompt is not learnt either"
        assert all(sequence.learn[len(prompt) :])
        end = tokenizer.eos_token if plain else ENDS[name]
        assert tokenizer.decode(sequence.tokens[len(prompt) :]).lstrip(" ") == answer + end
        assert sequence.where == "p:1"


@pytest.mark.invariant("I56")
def test_equal_answers_give_equal_sequences_and_prompts_weigh_nothing(build):
    tokenizer = build("bpe")
    said = turns("Hello", "there")
    chosen, rejected = render_pair(tokenizer, Preference(said[:1], said[1:], said[1:]))
    assert chosen == rejected
    batch = pairs([(chosen, rejected)])
    prompt = len(render_prompt(tokenizer, said[:1]))
    for learn in batch.learn.split(list(batch.lengths)):
        assert learn.tolist() == [False] * prompt + [True] * (len(chosen.tokens) - prompt)


@pytest.mark.incident("T20")
def test_pairs_are_cut_each_by_itself(build):
    tokenizer = build("characters")
    said = turns("Hello", "there", "", "it")
    chosen, rejected = render_pairs(tokenizer, [Preference(said[:1], said[1:2], said[3:])], 11)[0]
    assert (len(chosen.tokens), chosen.count) == (11, 3)
    assert (len(rejected.tokens), rejected.count) == (11, 3)
    assert rejected.tokens[-1] == tokenizer.eos_token_id


def test_many_are_one_by_one(build):
    tokenizer = build("mistral")
    conversations = [Dialogue(messages, where=f"f:{row}") for row, messages in enumerate(drawn(seed=5))]
    assert render_all(tokenizer, conversations) == [render(tokenizer, row) for row in conversations]
    prompts = [Prompt(row.messages[:1], plain=bool(at % 2)) for at, row in enumerate(conversations)]
    assert render_prompts(tokenizer, prompts) == [render_prompt(tokenizer, p.messages, plain=p.plain) for p in prompts]
    texts = [Text(row.messages[0].content, row.where) for row in conversations]
    assert render_texts(tokenizer, texts) == [render_text(tokenizer, text) for text in texts]
