"""Which language a text is in: by its script, and among those in Latin letters by their commonest words.

No model and no list of other people's: a script tells Korean, Japanese, Chinese, Russian …; function words, which make
up a third of any running text, tell English from German, French, Spanish, Italian, Portuguese and Dutch.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

UNKNOWN = "und"
"""ISO 639-2's code for what cannot be determined."""
_SCRIPTS = {
    "HANGUL": "ko", "HIRAGANA": "ja", "KATAKANA": "ja", "CJK": "zh", "CYRILLIC": "ru", "GREEK": "el", "ARABIC": "ar",
    "HEBREW": "he", "THAI": "th", "DEVANAGARI": "hi", "LATIN": "latin",
}  # fmt: skip
_COMMON = {
    "en": "the of and to in a is that it was for on with as his her he she i you at be this have from they we "
    "not are but my your has had what who which there their will one all so if or an by been were would "
    "do",
    "de": "der die das und in zu den ist von mit nicht ein eine sich auf für als auch es an werden aus er hat "
    "dass sie nach wird bei einer um am sind noch wie einem über so zum war haben nur oder aber vor zur "
    "bis mehr durch ich",
    "fr": "le la les de des et à un une du en que qui dans pour pas sur ce il au est plus par je ne se sont "
    "avec nous vous cette mais ou son sa ses aux elle on été être fait comme leur",
    "es": "el la los las de y que en a un una se del por con no para es su al lo como más o pero sus le ha me "
    "si sin sobre este ya entre cuando todo esta ser son dos también fue era muy hasta",
    "it": "il la le di e che in a un una per è non con del si da i gli dei della sono come più al nel ma anche "
    "ha lo se alla dal o questo questa suo sua essere nella tra dopo",
    "pt": "o a os as de e que em um uma do da para com não se por mais no na dos das é ao como mas foi ele ela "
    "seu sua ou quando muito nos já eu também só pelo pela até isso entre era",
    "nl": "de het een en van in is dat op te zijn met voor niet die aan er om ook als maar bij door hij ze werd "
    "uit naar wordt nog heeft over dan deze worden kan tot zich meer geen wel of",
}  # fmt: skip
_WORDS = {language: frozenset(words.split()) for language, words in _COMMON.items()}
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
LEAST = 0.12
"""Share of function words below which a text in Latin letters is in no language known here."""
LETTERS = 4000
"""Letters looked at: more tell nothing new."""


def language_of(text: str) -> str:
    """ISO 639-1 code, or "und" where it cannot be told.

    A text is Korean where three tenths of its letters are Hangul (Latin names and terms are common in it), Japanese
    where a tenth is kana; otherwise the commonest script decides.
    """
    scripts: Counter[str] = Counter()
    for letter, count in Counter(text[:LETTERS]).items():
        if letter.isalpha():
            scripts[_script(letter)] += count
    total = sum(scripts.values())
    if not total:
        return UNKNOWN
    if scripts["ko"] >= 0.3 * total:
        return "ko"
    if scripts["ja"] >= 0.1 * total:
        return "ja"
    main = scripts.most_common(1)[0][0]
    return _latin(text) if main == "latin" else main


def _script(letter: str) -> str:
    if letter.isascii():
        return "latin"
    return _SCRIPTS.get(unicodedata.name(letter, "").split(" ")[0], UNKNOWN)


def _latin(text: str) -> str:
    words = Counter(_WORD.findall(text[: 2 * LETTERS].lower()))
    total = sum(words.values())
    shares = {lang: sum(words[w] for w in common) / max(total, 1) for lang, common in _WORDS.items()}
    best = max(shares, key=lambda lang: shares[lang])
    return best if shares[best] >= LEAST else UNKNOWN
