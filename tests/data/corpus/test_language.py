"""Languages of texts whose language is known, short and long, mixed and damaged."""

import pytest

from baro.data.corpus.language import UNKNOWN, language_of

KNOWN = {
    "en": "The rain had stopped by the time we reached the house on the hill.",
    "ko": "비가 그치고 나서야 우리는 언덕 위의 집에 닿았다. 정말 재미있는 영화였어요 ㅋㅋ",
    "de": "Der Regen hatte aufgehört, als wir das Haus auf dem Hügel erreichten, und es war noch nicht dunkel.",
    "fr": "La pluie avait cessé quand nous sommes arrivés à la maison sur la colline, et il ne faisait pas froid.",
    "es": "La lluvia había cesado cuando llegamos a la casa de la colina, y no hacía frío en el valle.",
    "it": "La pioggia era cessata quando siamo arrivati alla casa sulla collina, e non era ancora buio.",
    "pt": "A chuva tinha parado quando chegamos à casa na colina, e não estava frio como antes.",
    "nl": "De regen was opgehouden toen wij het huis op de heuvel bereikten, en het was nog niet donker.",
    "ja": "雨がやんだころ、私たちは丘の上の家に着いた。",
    "zh": "雨停的时候我们到了山上的房子。",
    "ru": "Дождь кончился, когда мы добрались до дома на холме.",
}


@pytest.mark.parametrize("language", KNOWN)
def test_sentences_of_each_language(language):
    assert language_of(KNOWN[language]) == language
    assert language_of(KNOWN[language] * 30) == language


def test_korean_with_english_terms_is_korean_and_english_with_a_korean_name_is_not():
    assert language_of("PPO 알고리즘은 KL penalty를 써서 policy가 reference에서 멀어지지 않게 한다.") == "ko"
    assert language_of("The dish called 비빔밥 is what they have for lunch in the old house by the river.") == "en"


@pytest.mark.parametrize("text", ["", "12 + 30 = 42", "!!! ... ???", "xkcd qwfp zxcv arst neio", "�����"])
def test_what_is_in_no_language_is_said_to_be_unknown(text):
    assert language_of(text) == UNKNOWN
