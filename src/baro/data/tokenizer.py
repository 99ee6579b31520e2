"""Train a tokenizer: byte-level BPE, or characters with bytes for the rare ones.

Both are lossless: no normalisation, no <unk>, `decode(encode(text)) == text` for every text. Both put <|bos|> before a
text by themselves, as served models expect, and carry the chat template.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from baro.core.errors import ConfigError
from baro.data.markup import CHAT_TEMPLATE, SPECIAL_TOKENS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# Words with the space or sign before them, digits one by one (sums are learnt digit by digit), runs of signs, runs of
# white space. \p{M} keeps the marks of decomposed Hangul, Devanagari and the like with their letters.
WORDS = r"[^\r\n\p{L}\p{M}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
BYTES = [f"<0x{value:02X}>" for value in range(256)]


def train_bpe(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE (Sennrich et al. 2016; bytes as in Radford et al. 2019) with the chat tokens.

    Args:
        texts: documents to learn the merges from.
        vocab_size: tokens in all, at least 6 special ones + 256 bytes; a small text may fill fewer.

    Raises:
        ConfigError: `vocab_size` is below that minimum.
    """
    _check_size(vocab_size, len(SPECIAL_TOKENS) + 256)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=list(SPECIAL_TOKENS),
        # sorted: the library keeps the alphabet in a hash set, and ids must not depend on its order
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _finish(tokenizer)


def train_characters(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """The most frequent characters (Hangul: syllables), every other character as its UTF-8 bytes.

    Args:
        texts: documents to count the characters of.
        vocab_size: tokens in all: 6 special ones + 256 bytes + characters; a small text may fill fewer.

    Raises:
        ConfigError: `vocab_size` leaves no room for a character.
    """
    fixed = [*SPECIAL_TOKENS, *BYTES]
    _check_size(vocab_size, len(fixed) + 1)
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    frequent = sorted(counts, key=lambda character: (-counts[character], character))[: vocab_size - len(fixed)]
    vocabulary = {token: index for index, token in enumerate([*fixed, *frequent])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return _finish(tokenizer)


def _check_size(vocab_size: int, minimum: int) -> None:
    if vocab_size < minimum:
        raise ConfigError(
            f"vocab_size is {vocab_size}; expected at least {minimum}.",
            where="vocab_size",
            hint="The special tokens and the 256 bytes, which make every text encodable, take that many.",
        )


def _finish(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    from transformers import PreTrainedTokenizerFast

    pad, bos, end, user, assistant, system = SPECIAL_TOKENS
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        bos_token=bos,
        eos_token=end,
        additional_special_tokens=[user, assistant, system],
        clean_up_tokenization_spaces=False,
        padding_side="right",
    )
    wrapped.chat_template = CHAT_TEMPLATE
    return wrapped
