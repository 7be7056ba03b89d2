"""The pages of methods hold their tables, and a section for each method."""

import re
from pathlib import Path

import pytest

from energax.method import MASS_METHODS, METHODS, MIXED_METHODS, render_table

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"methods.md": METHODS, "mass.md": MASS_METHODS, "mixed.md": MIXED_METHODS}
TABLE = re.compile(r"<!-- methods -->\n\n(.*?)\n<!-- /methods -->", re.DOTALL)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#+) (.*)$", re.MULTILINE)


def find_headings(text):
    """(level, title) of each heading outside of code blocks."""
    return [(len(marks), title) for marks, title in HEADING.findall(FENCED.sub("", text))]


def list_sections(text):
    """Headings that are one name in code font."""
    titles = [title for _, title in find_headings(text)]
    return [title[1:-1] for title in titles if re.fullmatch(r"`[^`]+`", title)]


def make_anchor(title):
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


@pytest.mark.parametrize("name", PAGES)
def test_the_page_holds_the_table_of_methods(name):
    """What it must hold: python -c "import energax as ex; print(ex.method.render_table())"."""
    found = TABLE.search((DOCS / name).read_text())
    assert found is not None
    assert found[1] == render_table(PAGES[name])


@pytest.mark.parametrize("name", PAGES)
def test_each_method_has_one_section(name):
    assert sorted(list_sections((DOCS / name).read_text())) == sorted(PAGES[name])


@pytest.mark.parametrize("name", PAGES)
def test_each_link_of_the_table_leads_to_its_own_section(name):
    anchors = [make_anchor(title) for _, title in find_headings((DOCS / name).read_text())]
    assert [method for method in PAGES[name] if anchors.count(method) != 1] == []


def test_a_missing_section_is_seen():
    """Negative control: a section left out, one too many, and a table that is out of date."""
    page = "## Group: `pcd`\n\n### `nce`\n\n```text\n### `cd`\n```\n\n### `nce`\n"
    assert list_sections(page) == ["nce", "nce"]
    assert TABLE.search(f"<!-- methods -->\n\n{render_table()}\n<!-- /methods -->")
    stale = TABLE.search("<!-- methods -->\n\n| method |\n\n<!-- /methods -->")
    assert stale is not None
    assert stale[1] != render_table()
