"""Great Expectations' pages made harmless: texts are shielded on their way in, and of the HTML only plain elements come out.

Its templates load scripts, styles and images from the network, and write some texts as they are. A shielded text holds no
sign that HTML, Markdown or a template reads; the cleaner keeps the elements of the content and none of their attributes,
and puts the signs back as text.
"""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser

from oncoweave.report.page import visible

_SIGNS = "<>&\"'`$*_[](){}\\|#~!=;:/%^@"
_BASE = 0xE000
_SHIELD = {ord(sign): chr(_BASE + ord(sign)) for sign in _SIGNS}
_BACK = {ord(shielded): escape(chr(sign)) for sign, shielded in _SHIELD.items()}
_CONTENT = "col-md-10"
"""The class of the column that holds the content of a page."""
_KEPT = frozenset(["p", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "strong", "em", "code", "pre"])
_RENAMED = {"h4": "h2", "h5": "h2", "h6": "h3"}
_DROPPED = frozenset(["script", "style", "svg", "button", "label", "nav", "footer", "form"])
_VOID = frozenset(["br", "hr", "img", "input", "link", "meta"])
_ICONS = {
    "fa-check-circle": '<span class="tag good">met</span>',
    "fa-times": '<span class="tag bad">failed</span>',
    "fa-exclamation-triangle": '<span class="tag warn">could not run</span>',
}


def shielded(text: str) -> str:
    """The text with every sign that could be read as HTML, Markdown or a template put out of the way."""
    return visible(text).translate(_SHIELD)


def cleaned(page: str) -> str:
    """The content of a page of Great Expectations as plain HTML, the shielded signs back as text."""
    cleaner = _Cleaner()
    cleaner.feed(page)
    cleaner.close()
    html = "".join(cleaner.found)
    for _ in range(3):  # elements that held nothing but what was dropped
        html = re.sub(r"<(p|li|ul|ol|code|strong|em|h2|h3)>\s*</\1>", "", html)
    return re.sub(r"\s*\n\s*", "\n", html).translate(_BACK).strip()


class _Cleaner(HTMLParser):
    """Collects the kept elements of the content."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._open: list[tuple[str, str]] = []
        self._dropping = 0
        self._within = False
        self._heads: list[str] = []
        self._cell = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        classes = known.get("class", "").split()
        if not self._within:
            if tag == "div" and _CONTENT in classes:
                self._within, self._open = True, [(tag, "")]
            return
        if tag in _VOID:
            self.found += ["<br>"] if tag == "br" and not self._dropping else []
            return
        if self._dropping or tag in _DROPPED or "hidden" in known or ("data-toggle" in known and tag == "a"):
            self._dropping += 1
            self._open.append((tag, "dropped"))
            return
        self._keep(tag, classes)

    def _keep(self, tag: str, classes: list[str]) -> None:
        icon = next((mark for name, mark in _ICONS.items() if name in classes), "") if tag == "i" else ""
        name = "code" if "badge" in classes else _RENAMED.get(tag, tag)
        kept = name in _KEPT or name in _RENAMED.values()
        self.found += [icon] if icon else [self._start(name)] if kept else []
        end = "</span></td>" if name == "td" else f"</{name}>"
        self._open.append((tag, end if kept else ""))

    def _start(self, name: str) -> str:
        """The start of an element; a table is laid out like ours, each cell with the head of its column."""
        if name in ("table", "th"):
            self._heads = [*self._heads, ""] if name == "th" else []
        if name in ("tr", "td"):
            self._cell = self._cell + 1 if name == "td" else 0
        if name == "table":
            return '<table class="cards">'
        head = self._heads[self._cell - 1] if name == "td" and self._cell <= len(self._heads) else ""
        if name == "td":
            return f'<td data-label="{escape(head)}"><span>' if head else "<td><span>"
        return f"<{name}>"

    def handle_endtag(self, tag: str) -> None:
        if not self._within or tag in _VOID or tag not in [name for name, _ in self._open]:
            return
        while self._open:
            name, end = self._open.pop()
            self._dropping -= end == "dropped"
            self.found += [end] if end and end != "dropped" else []
            if name == tag:
                break
        self._within = bool(self._open)

    def handle_data(self, data: str) -> None:
        if not self._within or self._dropping:
            return
        self.found.append(escape(data))
        if self._open and self._open[-1][0] == "th":
            self._heads[-1] += data.strip()
