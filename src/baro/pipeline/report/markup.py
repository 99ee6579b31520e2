"""From text to HTML: both languages, everything escaped, nothing invisible."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from baro.pipeline.report import numbers
from baro.pipeline.report.details import Words
from baro.pipeline.report.words import PAGE, fill

MOST_LETTERS = 1500


def visible(text: str) -> str:
    """The text with control characters and lone surrogates made visible, so that none reaches the page."""

    def shown(match: re.Match[str]) -> str:
        code = ord(match[0])
        return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"

    return re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", shown, text.replace("\r\n", "\n"))


def say(words: Words) -> Markup:
    """A text as two spans, of which the page shows one; once when it reads the same in both languages."""
    if words["en"] == words["ko"]:
        return escape(visible(words["en"]))
    spans = (f'<span class="{lang}" lang="{lang}">{escape(visible(words[lang]))}</span>' for lang in ("en", "ko"))
    return Markup("".join(spans))


def attributes(kind: str, words: Words) -> Markup:
    """`data-<kind>-en` and `data-<kind>-ko`, from which script.js takes the text of the language shown."""
    return Markup(" ".join(f'data-{kind}-{lang}="{escape(visible(words[lang]))}"' for lang in ("en", "ko")))


def label(words: Words) -> Markup:
    """An `aria-label` that follows the language."""
    return Markup(f'aria-label="{escape(visible(words["en"]))}" ') + attributes("label", words)


def long_text(text: str) -> Markup:
    """A model's words, made visible and cut where they are very long."""
    text = visible(text)
    if len(text) <= MOST_LETTERS:
        return escape(text)
    rest = say(fill(PAGE["cut_text"], count=numbers.count(len(text) - MOST_LETTERS)))
    return escape(text[:MOST_LETTERS]) + Markup('<span class="dim">') + rest + Markup("</span>")
