"""Tokenizers of the usual kinds, built by hand: nothing is fetched."""

import json

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from baro.data.tokenizer import train_bpe, train_characters

ENGLISH = ["Hello there, how are you today? I am fine, thank you.\n\nWhat is 12 + 30? It is 42."] * 4
KOREAN = ["안녕하세요, 오늘 기분이 어때요? 저는 아주 좋아요. 고마워요!\n\n영화가 참 재미있었다. 최고!"] * 4
TEXTS = ENGLISH + KOREAN

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA3 = (
    "{% for m in messages %}{% set text = '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n'"
    " + m['content'] | trim + '<|eot_id|>' %}{% if loop.first %}{% set text = bos_token + text %}{% endif %}"
    "{{ text }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'user' %}{{ ' [INST] ' + m['content'] + ' [/INST]' }}"
    "{% elif m['role'] == 'assistant' %}{{ ' ' + m['content'] + eos_token }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported') }}{% endif %}{% endfor %}"
)
# like Qwen3: thoughts of earlier turns are taken out, the last turn gets an empty one
RETHINKING = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}"
    "{% if m['role'] == 'assistant' and loop.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# like DeepSeek-R1: the generation prompt opens a thought that a rendered answer does not have
OPEN_THOUGHT = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'user' %}{{ '<|User|>' + m['content'] }}{% else %}"
    "{{ '<|Assistant|>' + m['content'] + '<|eos|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|Assistant|><think>\n' }}{% endif %}"
)
ENDLESS = (
    "{% for m in messages %}{{ 'Q: ' if m['role'] == 'user' else 'A: ' }}{{ m['content'] + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'A: ' }}{% endif %}"
)


def byte_level(special, *, adds=None, template=None, **names):
    """GPT-2's kind of tokenizer with these special tokens; `adds` is put before every text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=special,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return wrapped(tokenizer, adds, template, names)


def sentence_pieces(special, *, adds=None, template=None, dummy_prefix=True, **names):
    """Llama-2's kind (a space before every text) or, without the dummy prefix, Gemma's."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    spaces = normalizers.Replace(" ", "▁")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), spaces]) if dummy_prefix else spaces
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence([*steps, *([decoders.Strip(" ", 1, 0)] if dummy_prefix else [])])
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<unk>", *special, *(f"<0x{value:02X}>" for value in range(256))],
        show_progress=False,
        max_token_length=8,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    # the trainer took the bytes for special tokens, which nobody may type: load the vocabulary without that
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if not token["content"].startswith("<0x")]
    return wrapped(Tokenizer.from_str(json.dumps(state)), adds, template, {"unk_token": "<unk>", **names})


def wrapped(tokenizer, adds, template, names):
    if adds:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{adds} $A", special_tokens=[(adds, tokenizer.token_to_id(adds))]
        )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **names)
    fast.chat_template = template
    return fast


IM = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
HEADERS = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
BUILDERS = {
    "bpe": lambda: train_bpe(TEXTS, 400),
    "characters": lambda: train_characters(TEXTS, 300),
    "chatml": lambda: byte_level(IM, template=CHATML, eos_token="<|im_end|>", pad_token="<|endoftext|>"),
    "chatml pad=eos": lambda: byte_level(IM, template=CHATML, eos_token="<|im_end|>", pad_token="<|im_end|>"),
    "chatml eos=endoftext": lambda: byte_level(IM, template=CHATML, eos_token="<|endoftext|>"),
    "llama3": lambda: byte_level(
        HEADERS, adds="<|begin_of_text|>", template=LLAMA3, bos_token="<|begin_of_text|>", eos_token="<|end_of_text|>"
    ),
    "gemma": lambda: sentence_pieces(
        ["<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"],
        adds="<bos>",
        template=GEMMA,
        dummy_prefix=False,
        bos_token="<bos>",
        eos_token="<eos>",
    ),
    "mistral": lambda: sentence_pieces(
        ["<s>", "</s>"], adds="<s>", template=MISTRAL, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    ),
    "zephyr": lambda: byte_level(  # its template writes no BOS, its tokenizer does
        ["<s>", "</s>", *IM], adds="<s>", template=CHATML, bos_token="<s>", eos_token="</s>"
    ),
    "gpt2": lambda: byte_level(["<|endoftext|>"], bos_token="<|endoftext|>", eos_token="<|endoftext|>"),
    "llama2 base": lambda: sentence_pieces(["<s>", "</s>"], adds="<s>", bos_token="<s>", eos_token="</s>"),
    "endless": lambda: byte_level(["<|endoftext|>"], template=ENDLESS, eos_token="<|endoftext|>"),
    "rethinking": lambda: byte_level(IM, template=RETHINKING, eos_token="<|im_end|>"),
    "open thought": lambda: byte_level(
        ["<|bos|>", "<|eos|>", "<|User|>", "<|Assistant|>"],
        adds="<|bos|>",
        template=OPEN_THOUGHT,
        bos_token="<|bos|>",
        eos_token="<|eos|>",
    ),
}
_BUILT = {}


@pytest.fixture
def build():
    """A tokenizer by its name in BUILDERS; a fresh copy of it when asked."""

    def builder(name, *, fresh=False):
        if fresh:
            return BUILDERS[name]()
        if name not in _BUILT:
            _BUILT[name] = BUILDERS[name]()
        return _BUILT[name]

    return builder
