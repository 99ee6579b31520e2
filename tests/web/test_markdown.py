"""Texts as HTML: what they mean is shown, what they might do is not done."""

import re

import pytest

from baro.web.markdown import LONGEST, rendered

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:x)",
    "![x](http://evil.example/pixel.png)",
    '![x"onerror=alert(1)](x)',
    "```html\n<script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "<style>body{display:none}</style>",
    "<p style='position:fixed'>x</p>",
    "<form action=http://evil.example><input></form>",
    "`<script>`",
    "| <script> |\n|---|\n| <img src=x> |",
    "<math><mtext><script>alert(1)</script></mtext></math>",
    "&lt;script&gt;",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_no_text_becomes_anything_that_acts(text):
    tags = re.findall(r"<\s*(/?\w+)([^>]*)>", rendered(text))
    assert {name.strip("/") for name, _ in tags} <= {
        "p",
        "a",
        "pre",
        "code",
        "span",
        "div",
        "br",
        *["table", "thead", "tbody", "tr", "th", "td"],
    }
    for _, attributes in tags:
        assert not re.search(r"\bon\w+|style|src|srcset|javascript|data:|vbscript", attributes, re.IGNORECASE)


def test_markdown_means_what_it_says():
    html = rendered("# Title\n\n1. **bold** `code`\n2. *soft*\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nline\nbreak")
    for part in ("<h1>", "<ol>", "<strong>", "<code>", "<em>", "<table>", "<td>1</td>", "line<br>"):
        assert part in html


def test_code_is_coloured_by_what_it_is():
    html = rendered('```python\ndef f(x):\n    return "s"  # why\n```')
    assert re.search(r'<span class="k">def</span>', html)
    assert re.search(r'<span class="c1"># why</span>', html)
    assert 'dir="ltr"' in html
    plain = rendered("```nosuchlanguage\na < b\n```")
    assert "a &lt; b" in plain


def test_links_lead_out_without_telling_where_from():
    html = rendered("[x](https://example.org/a)")
    assert 'href="https://example.org/a"' in html
    assert "noopener" in html
    assert "noreferrer" in html


def test_control_characters_are_seen_and_long_texts_stand_as_they_are():
    assert "\u2400" in rendered("a\0b")
    long = rendered("**x** <b>" + "y" * LONGEST)
    assert "**x** &lt;b&gt;" in long


def test_a_text_made_to_be_slow_is_not():
    import time

    start = time.monotonic()
    for text in (
        "[" * 20_000,
        "*a " * 10_000,
        "`" * 20_000,
        "> " * 5_000,
        "<" * 20_000,
        "|a" * 10_000 + "\n" + "|-" * 10_000,
    ):
        rendered(text[:LONGEST])
    assert time.monotonic() - start < 10
