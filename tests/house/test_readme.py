"""README and docs hold what they promise: Python runs, commands parse, links lead somewhere."""

import contextlib
import importlib
import io
import re
import shlex
from pathlib import Path

import pytest
from commands import as_a_user, measured_briefly

from energax import cli
from energax.cli import entry

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^(?: {4}.*\n?)+", re.MULTILINE)
INLINE = re.compile(r"`(energax [^`]* --[^`]*)`")
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
STANDS_FOR = {"DATA": "digits", "NAME": "nce", "my_module:PlainScoreMatching": "sm"}
"""What a page writes for any data set, any method, a method of the reader's own."""

LARGEST_PICTURE = 400_000
"""Bytes: a page that people open on a phone."""

named = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def run_blocks(text, name):
    """Each python block in order, in one namespace; a failure names the line of the page."""
    space = {"__name__": "__main__"}
    for block in FENCED.finditer(text):
        if block[1] == "python":
            above = text.count("\n", 0, block.start(2))
            exec(compile("\n" * above + block[2], name, "exec"), space)


def commands(text):
    """The words after `energax` in each command line that a page shows."""
    shell = [block[2] for block in FENCED.finditer(text) if block[1] in ("", "sh", "console")]
    prose = FENCED.sub("", text)
    found = "\n".join([*shell, *INDENTED.findall(prose), *INLINE.findall(prose)])
    for line in found.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if "energax" in words:
            rest = words[words.index("energax") + 1 :]
            stops = [i for i, word in enumerate(rest) if word in ("&&", "|", ";")]
            words = rest[: stops[0]] if stops else rest
            yield [STANDS_FOR.get(word, word) for word in words]


def parses(words):
    """Would the command line take these words? Nothing is carried out."""
    with pytest.MonkeyPatch.context() as patch:
        for name in entry.COMMANDS:
            file = importlib.import_module(f"energax.cli.{name}")
            patch.setattr(getattr(file, name.capitalize()), "__call__", lambda self: None)
        with contextlib.redirect_stdout(io.StringIO()):
            return cli.run(words) == 0


def missing(text, folder):
    """The relative links of a page that lead nowhere."""
    links = [a or b for a, b in LINK.findall(FENCED.sub("", text))]
    paths = [link.partition("#")[0] for link in links if not re.match(r"\w+:", link)]
    return [path for path in paths if path and not (folder / path).exists()]


@named
def test_python_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with as_a_user(), measured_briefly():
        run_blocks(page.read_text(), page.name)


@named
def test_commands_parse(page):
    assert [words for words in commands(page.read_text()) if not parses(words)] == []


@named
def test_links_lead_somewhere(page):
    assert missing(page.read_text(), page.parent) == []


def test_pictures_are_small():
    pictures = (ROOT / "docs" / "images").glob("*")
    assert [file.name for file in pictures if file.stat().st_size > LARGEST_PICTURE] == []


def test_the_test_command_stands_alone():
    """The first line with it is run as it is by .ci/run."""
    lines = (ROOT / "README.md").read_text().splitlines()
    first = next(line for line in lines if "uv run pytest" in line)
    assert first.partition("#")[0].strip() == "pip install uv && uv run pytest"


def test_the_readme_shows_every_command():
    shown = set(re.findall(r"energax ([a-z]+)", (ROOT / "README.md").read_text()))
    assert set(entry.COMMANDS) - {"data", "reconstruct"} <= shown


PAGE = """Text with `energax train --stepz 3` and a [link](nowhere.md).

    pip install uv && uv run energax train --stepz 3   # a comment

```sh
energax sample runs/x \\
    --out x.png
energax fly
```

```python
one = 1
```

```python
assert one == 2
```
"""


def test_a_broken_page_is_noticed(tmp_path):
    """Negative control: a wrong option, an unknown command, a dead link and a false claim."""
    verdicts = [parses(words) for words in commands(PAGE)]
    assert verdicts == [True, False, False, False]
    assert missing(PAGE, tmp_path) == ["nowhere.md"]
    with pytest.raises(AssertionError) as failure:
        run_blocks(PAGE, "page.md")
    assert failure.traceback[-1].lineno + 1 == PAGE.splitlines().index("assert one == 2") + 1
