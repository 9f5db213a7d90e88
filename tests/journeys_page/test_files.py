"""The page's files: nothing inline, nothing from elsewhere, nothing that is not there."""

import html
import re
from html.parser import HTMLParser

import pytest

from pennon.journeys.page import index_html, static_file

TOKEN = 'a "token" & <more>'


class Tags(HTMLParser):
    """The start tags of a document, and the texts within scripts and styles."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[str] = []
        self._within = ""
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style") and data.strip():
            self.inline.append(data)


@pytest.fixture
def page() -> Tags:
    """The document."""
    return Tags(index_html(TOKEN))


def modules() -> dict[str, str]:
    """Every script that the page loads, by name, found by following the imports."""
    found: dict[str, str] = {}
    waiting = ["page.js"]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        file = static_file(name)
        assert file is not None, f"{name} is imported and not there"
        found[name] = file[0].decode()
        waiting += re.findall(r'from "\./([^"]+)"', found[name])
    return found


def test_index_html_holds_the_token_whole(page: Tags) -> None:
    """A token with quotes and brackets stands in the meta tag and nowhere else."""
    contents = [attributes["content"] for tag, attributes in page.tags if attributes.get("name") == "page-token"]
    assert [TOKEN] == contents
    assert 1 == index_html(TOKEN).count(html.escape(TOKEN))


def test_index_html_has_nothing_inline(page: Tags) -> None:
    """`default-src 'self'` is enough: no script, style or handler within the document."""
    assert [] == page.inline
    named = {name for _, attributes in page.tags for name in attributes}
    assert set() == {name for name in named if name == "style" or name.startswith("on")}


def test_index_html_loads_only_files_that_are_there(page: Tags) -> None:
    """Every address in it is one of ours and answers."""
    addresses = [attributes.get("src") or attributes.get("href") or "" for _, attributes in page.tags]
    files = [address for address in addresses if address and not address.startswith("#")]
    assert ["/static/icon.svg", "/static/page.css", "/static/page.js"] == sorted(files)
    assert all(static_file(file.removeprefix("/static/")) for file in files)


def test_index_html_labels_every_control(page: Tags) -> None:
    """A control has a label or a name that a screen reader can say."""
    labelled = {attributes.get("for") for tag, attributes in page.tags if tag == "label"}
    inputs = [attributes for tag, attributes in page.tags if tag == "input"]
    assert inputs
    assert all(attributes.get("id") in labelled for attributes in inputs)


def test_modules_keep_to_text_and_this_origin() -> None:
    """No markup from strings, no evaluated text, no address elsewhere: what spans say is shown as text."""
    addresses = {"http://www.w3.org/2000/svg"}
    for name, source in modules().items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", source), (
            name
        )
        assert set(re.findall(r"https?://[^\"'`\s]+", source)) <= addresses, name


def test_page_css_loads_nothing() -> None:
    """No font, picture or sheet from anywhere."""
    file = static_file("page.css")
    assert file is not None
    assert b"url(" not in file[0]
    assert b"@import" not in file[0]


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("page.css", "text/css; charset=utf-8"),
        ("page.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_static_file_says_its_media_type(name: str, media_type: str) -> None:
    """With nosniff, a wrong type is a page without scripts."""
    file = static_file(name)
    assert file is not None
    assert media_type == file[1]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../index.html", "index.html", "../files.py", "/etc/passwd", "page.js\0"]
)
def test_static_file_has_no_other_name(name: str) -> None:
    """A name is looked up, never followed as a path."""
    assert static_file(name) is None
