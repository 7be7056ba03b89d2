"""Words that must not come back: each has a plain one of the field in its place."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BANNED = {  # a pattern -> what to write
    r"\b[Ll]aws?\b|AbstractLaw|FromLaw": "distribution",
    r"\btold\b|\btells? apart\b": "classified, discriminated; of metrics, reported",
    r"\blives? on\b": "persistent chains",
    r"count alike": "one hidden layer (mean-field)",
    r"\bfor ever\b": "until stopped",
    r"\banew\b": "again",
    r"\bbegun\b|\bspoken\b|\bblamed\b|\bdetached\b": "a verb",
    r"\bTrio\b|\btrio\b": "players",
    r"\bLesson\b|\blesson\b": "batch",
    r"\bCloud\b|cloud_size": "weighted samples, effective size",
    r"\bportrait\b|\bMaterial\b|\bChapter\b": "page, results, experiment",
    r"\blens\b|\bBrightness\(|\bThrough\b": "input transform",
    r"\bsynthetic\b|\bimitation\b": "generator weight, encoder weight",
    r"broadest|\bfinest\b": "sigma_max, sigma_min; highest, lowest",
    r"--(objective|decay|rate-decay|fresh|again|through|rival-rate|rival-decay)\b": "its new name",
    r"\bvalley\b": "density too concentrated",
    r"train anew": "retrain",
    r"a guess that": "amortised posterior",
    r"\brecipe\b": "method, run, model",
}

COVERED = [
    *sorted((ROOT / "src").rglob("*.py")),
    *sorted((ROOT / "src").rglob("*.pyi")),
    *sorted((ROOT / "src").rglob("*.html")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
]


def find_banned(text):
    """The banned words of a text, with the lines that they are in."""
    return [
        (number, found[0])
        for number, line in enumerate(text.splitlines(), 1)
        for pattern in BANNED
        if (found := re.search(pattern, line))
    ]


@pytest.mark.parametrize("path", COVERED, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_banned_word_has_come_back(path):
    assert find_banned(path.read_text()) == []


def test_a_banned_word_is_seen():
    """Negative control, and what must pass."""
    assert find_banned("the base law\nchains that live on\n--fresh 1") == [
        (1, "law"),
        (2, "live on"),
        (3, "--fresh"),
    ]
    assert find_banned("for every row, --ema-decay 0.9, lawful, one for each") == []
