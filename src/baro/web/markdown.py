"""Texts from models and people as HTML that does nothing: Markdown, code in colour, any direction of writing.

Raw HTML in a text is shown as text, images are not fetched but named, and what comes out is cleaned once more.
"""

from __future__ import annotations

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from baro.pipeline.report.markup import visible

LONGEST = 40_000
"""Characters that are laid out; a longer text is shown as it stands."""

TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "span"),
    *("em", "strong", "s", "a", "table", "thead", "tbody", "tr", "th", "td", "div"),
}
ATTRIBUTES = {"a": {"href"}, "span": {"class"}, "div": {"class"}, "ol": {"start"}, "code": {"class"}}


def rendered(text: str) -> Markup:
    """`text`, written in Markdown, as HTML without script, style, image or frame."""
    clean = visible(text)
    if len(clean) > LONGEST:
        return Markup('<p class="as-it-stands">{}</p>').format(clean)
    html = nh3.clean(
        _PARSER.render(clean),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}, "pre": {"dir": "ltr", "tabindex": "0"}},
    )
    return Markup(html)


def _coloured(code: str, language: str, _: str) -> str:
    try:
        lexer = get_lexer_by_name(language.strip().split(" ")[0].lower() or "text")
    except ClassNotFound:
        return ""  # the parser then escapes it itself
    return highlight(code, lexer, HtmlFormatter(nowrap=True))


def _parser() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "breaks": True, "highlight": _coloured})
    made.enable(["table", "strikethrough"])
    made.add_render_rule("image", _image)
    return made


def _image(self, tokens, index, options, env) -> str:
    return str(escape(f"[{tokens[index].content}]({tokens[index].attrGet('src')})"))


_PARSER = _parser()
