"""Every text stands in both languages, with the same values in it."""

import importlib
import pkgutil
import re

import pytest
from starlette.requests import Request

import baro.web
from baro.web.words import LANGUAGES, language


def tables():
    for module in pkgutil.walk_packages(baro.web.__path__, "baro.web."):
        if module.name.split(".")[-1] == "words":
            for name, value in vars(importlib.import_module(module.name)).items():
                if name.isupper() and isinstance(value, dict):
                    yield pytest.param(value, id=f"{module.name}.{name}")


@pytest.mark.parametrize("table", tables())
def test_texts_stand_in_both_languages(table):
    for key, texts in table.items():
        assert len(texts) == len(LANGUAGES), key
        assert all(text.strip() for text in texts), key
        names = [set(re.findall(r"\{(\w+)", text)) for text in texts]
        assert names[0] == names[1], key


def request(query="", cookie="", accept=""):
    headers = [(b"cookie", cookie.encode()), (b"accept-language", accept.encode())]
    return Request({"type": "http", "query_string": query.encode(), "headers": headers})


def test_the_language_is_the_address_then_the_cookie_then_the_start_then_the_browser():
    assert language(request()) == "en"
    assert language(request(accept="ko-KR,ko;q=0.9,en;q=0.8")) == "ko"
    assert language(request(accept="fr,de")) == "en"
    assert language(request(accept="ko"), "en") == "en"
    assert language(request(cookie="baro-language=ko"), "en") == "ko"
    assert language(request("lang=en", "baro-language=ko")) == "en"
    assert language(request("lang=xx", "baro-language=ko")) == "ko"
