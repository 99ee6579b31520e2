"""Tokenizers trained here: lossless, repeatable, and the same when loaded by transformers."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from baro.core.errors import ConfigError
from baro.data.records import Dialogue, Message
from baro.data.templates import SPECIAL_TOKENS, end_tokens, render
from baro.data.tokenizer import train_bpe, train_characters

TEXTS = ["Hello there, how are you? 12345", "안녕하세요, 오늘 영화가 참 재미있었다. 최고!"] * 6
TRAINERS = {"bpe": train_bpe, "characters": train_characters}
HARD = [
    *(
        "",
        " ",
        "  a  b ",
        "\n\n\t\r\n x",
        "안녕하세요 반갑습니다",
        "ㅋㅋㅋ ㅠㅠ",
        "\u1100\u1161\u11a8 가",
    ),  # Hangul taken apart
    *(
        "e\u0301 é \u00a0 \u200b \ufeff",
        "🙂🇰🇷👩\u200d👩\u200d👧",
        "<0x41> <|end|> </s> ▁",
        "\x00\x01\x7f",
        "ＡＢ① ﬁ",
        "नमस्ते",
    ),
    *("don't   stop!!\n\n\nnow 3.14159", "\ue000\U0010ffff", "a" * 500),
]


@pytest.fixture(scope="module")
def trained():
    return {
        "bpe": train_bpe(TEXTS, 320),
        "characters": train_characters(TEXTS, 290),
    }


@pytest.mark.parametrize("name", TRAINERS)
def test_every_text_comes_back_as_it_was(trained, name):
    tokenizer = trained[name]
    random.seed(0)
    points = [*range(0x20, 0x250), *range(0xAC00, 0xAD00), *range(0x1F600, 0x1F640), *range(0x300, 0x330), 10, 13, 9]
    texts = HARD + ["".join(map(chr, random.choices(points, k=random.randint(1, 40)))) for _ in range(300)]
    for text in texts:
        ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        assert tokenizer.decode(ids, skip_special_tokens=False) == text
    assert (
        tokenizer.batch_decode([tokenizer(text)["input_ids"] for text in HARD[:5]], skip_special_tokens=True)
        == HARD[:5]
    )


@pytest.mark.incident("T14", "T16")
@pytest.mark.parametrize("name", TRAINERS)
def test_special_tokens(trained, name):
    tokenizer = trained[name]
    assert tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS)) == [0, 1, 2, 3, 4, 5]
    assert (tokenizer.pad_token, tokenizer.bos_token, tokenizer.eos_token) == ("<|pad|>", "<|bos|>", "<|end|>")
    assert set(tokenizer.all_special_tokens) == set(SPECIAL_TOKENS)
    assert tokenizer("a")["input_ids"][0] == 1
    assert tokenizer("a", "b")["input_ids"].count(1) <= 1
    assert tokenizer.padding_side == "right"


def test_bpe_by_hand():
    """Pairs by count: "ab" 12, "abc" 8 (as ab + c), "de" 4; a pair seen once is not merged."""
    tokenizer = train_bpe(["abc"] * 8 + ["ab"] * 4 + ["de"] * 4 + ["xy"], 300)
    vocabulary = tokenizer.get_vocab()
    assert {"ab", "abc", "de"} <= set(vocabulary)
    assert "xy" not in vocabulary
    assert tokenizer.convert_ids_to_tokens(tokenizer("abcde", add_special_tokens=False)["input_ids"]) == ["abc", "de"]
    assert vocabulary["ab"] == 6 + 256, "the first merge stands behind the special tokens and the bytes"


def test_bpe_reads_words_digits_and_signs_apart():
    tokenizer = train_bpe(["10 + 20 = 30, 안녕하세요! "] * 50, 400)
    tokens = [tokenizer.decode(i) for i in tokenizer("10 + 20", add_special_tokens=False)["input_ids"]]
    assert "".join(tokens) == "10 + 20"
    assert {"1", "0", "2"} <= set(tokens)
    assert "10" not in tokenizer.get_vocab()
    assert len(tokenizer(" 안녕하세요!", add_special_tokens=False)["input_ids"]) == 2


def test_characters_by_hand():
    """Counts: a 3, 나 2, b 2, c 1: ties in order of code points, the rest as bytes."""
    tokenizer = train_characters(["aab나", "a나bc"], 6 + 256 + 3)
    assert len(tokenizer) == 265
    assert tokenizer.convert_ids_to_tokens([262, 263, 264]) == ["a", "b", "나"]
    pieces = tokenizer.convert_ids_to_tokens(tokenizer("나c다", add_special_tokens=False)["input_ids"])
    assert pieces == ["나", "<0x63>", "<0xEB>", "<0x8B>", "<0xA4>"]
    assert len(train_characters(["ab"], 1000)) == 264


@pytest.mark.parametrize(("train", "least"), [(train_bpe, 262), (train_characters, 263)])
def test_a_vocabulary_too_small_is_refused(train, least):
    assert len(train(["a"], least)) <= least
    with pytest.raises(ConfigError, match=f"vocab_size is {least - 1}; expected at least {least}"):
        train(["a"], least - 1)


@pytest.mark.invariant("I69")
@pytest.mark.parametrize("name", TRAINERS)
def test_training_is_repeatable(trained, name):
    again = TRAINERS[name](iter(TEXTS), len(trained[name]))
    assert again.backend_tokenizer.to_str() == trained[name].backend_tokenizer.to_str()


@pytest.mark.slow
@pytest.mark.invariant("I69")
@pytest.mark.parametrize("name", TRAINERS)
def test_training_is_repeatable_in_another_process(name):
    """Hash tables are seeded anew in every process; ids must not follow them."""
    code = (
        "import hashlib; from baro.data.tokenizer import train_bpe, train_characters\n"
        f"texts = {TEXTS!r}\n"
        f"print(hashlib.sha256(train_{name}(texts, 320).backend_tokenizer.to_str().encode()).hexdigest())"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]
    assert runs[0].stdout == runs[1].stdout


@pytest.mark.invariant("I8", "I68")
@pytest.mark.parametrize("name", TRAINERS)
@pytest.mark.parametrize("config", [False, True])
def test_transformers_loads_the_same_tokenizer(trained, name, config, tmp_path: Path):
    """Also beside a Llama config, which must not bring in Llama's own tokenizer."""
    from transformers import AutoTokenizer, LlamaConfig

    tokenizer = trained[name]
    tokenizer.save_pretrained(tmp_path)
    if config:
        LlamaConfig(vocab_size=len(tokenizer)).save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    for text in HARD:
        assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]
        assert loaded.decode(loaded(text)["input_ids"]) == tokenizer.decode(tokenizer(text)["input_ids"])
    messages = (Message("system", "s"), Message("user", "안녕 <|end|>"), Message("assistant", "Hello"))
    assert render(loaded, Dialogue(messages)) == render(tokenizer, Dialogue(messages))
    dicts = [message.as_dict() for message in messages]
    assert loaded.apply_chat_template(dicts, tokenize=False) == tokenizer.apply_chat_template(dicts, tokenize=False)
    assert end_tokens(loaded) == end_tokens(tokenizer) == (2,)
    assert len(loaded) == len(tokenizer)
