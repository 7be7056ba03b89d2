"""Words that must not come back, each with what to say instead; functions are called by verbs."""

import ast
import re
from pathlib import Path

import pytest

import energax
from energax.cli.parser import flags
from energax.method import METHODS
from energax.options import leaves

SOURCE = Path(energax.__file__).parent
ROOT = Path(__file__).parents[2]

WORDS = {  # a word or phrase, in prose or as a part of a name -> what to say
    "law|laws": "distribution",
    "told": "classified, reported, given; a name of its own",
    "tell apart|tells apart|tell them apart|told apart": "classify, discriminate",
    "live on|lives on": "persistent",
    "count alike": "one hidden layer (mean-field)",
    "for ever|forever": "until stopped",
    "train anew|trained anew|anew": "retrain; again",
    "not whole": "incomplete",
    "memory does not hold": "out of memory",
    "too narrow to anneal": "too concentrated for annealed importance sampling",
    "misses no number": "has no missing values",
    "given nothing": "unconditional samples",
    "a guess that": "amortised Gaussian posterior",
    "who else": "auxiliary networks",
    "valley": "density too concentrated",
    "broadest": "highest; sigma_max",
    "finest": "lowest; sigma_min",
    "synthetic": "generator weight",
    "imitation": "encoder weight",
    "recipe|recipes": "method, run, model",
    "take off a term": "subtract a zero-mean control variate",
    "lens|lenses": "input transform",
    "lesson|lessons": "teaching batch",
    "trio|trios": "players",
    "cloud|clouds": "weighted samples",
    "portrait|portraits": "generator page, generator results",
    "partner|partners": "auxiliary networks",
    "chapter|chapters": "experiment",
    "detached": "stop_gradient",
    "spoken": "shell_command",
    "begun": "started; create",
    "blame|blamed": "failing player",
}

NAMES = {  # the name of a class or of a function -> what to call it
    "AbstractLaw": "AbstractDistribution",
    "Material": "RunResults",
    "Through": "InputTransform",
    "Brightness": "UnmapPixels",
    "Seeds": "LatentNoise",
    "Fixed": "NonTrainable",
    "Settings": "the method's own dataclass",
    "put_back": "Buffer.update",
    "carried_out": "run",
    "pick": "Buffer.draw",
}

OPTIONS = {  # an option of before -> that of now
    "--objective": "--method",
    "--objectives": "--methods",
    "--decay": "--ema-decay",
    "--rate-decay": "--learning-rate-decay",
    "--fresh": "--reinit-probability",
    "--again": "--resample",
    "--through": "--pathwise-weight",
    "--synthetic": "--generator-weight",
    "--imitation": "--encoder-weight",
    "--broadest": "--sigma-max",
    "--finest": "--sigma-min",
    "--rival-rate": "--rival-learning-rate",
    "--rival-decay": "--rival-weight-decay",
    "--encoder-rate": "--encoder-learning-rate",
    "--latent": "--latent-dim",
    "--labels": "the data say",
}

PARTICIPLES = ("born", "drawn", "held", "hidden", "kept", "made", "seen", "sent", "shown", "told")
VERBS = ("embed", "feed", "need", "read", "seed", "shed", "speed")

CODE = sorted(SOURCE.rglob("*.py"))
COVERED = [
    *(
        path
        for path in sorted(SOURCE.rglob("*"))
        if path.suffix in (".py", ".pyi", ".html", ".css")
    ),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
]
TESTS = [
    *sorted(path for path in (ROOT / "tests").rglob("*.py") if path.name != Path(__file__).name),
    *sorted((ROOT / "benchmarks").glob("*.py")),
    ROOT / "benchmarks" / "mutants.toml",
]
"""Files in which no such word may stand; tests name options of before, to see them refused."""

named = pytest.mark.parametrize("path", COVERED, ids=lambda path: str(path.relative_to(ROOT)))


def plain(text):
    """Prose and names as words: `list_partners` and `BaseLaw` in parts, sentences in one line."""
    text = re.sub(r'"\s*\n\s*f?"', "", text)
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return " ".join(re.sub(r"[_#]", " ", text).lower().split())


def banned_words(text):
    """Words and phrases of the table that a text holds, with what to say instead."""
    found = plain(text)
    hits = {words: re.search(rf"(?<![a-z-])({words})(?![a-z])", found) for words in WORDS}
    return [f"{hit[0]} -> {WORDS[words]}" for words, hit in hits.items() if hit]


def banned_options(text):
    """Options of before that a text names."""
    return [
        f"{old} -> {new}"
        for old, new in OPTIONS.items()
        if re.search(rf"(?<!\w){old}(?![\w-])", text)
    ]


def banned_names(text):
    """Classes and functions under names that were given up."""
    made = (ast.ClassDef, ast.FunctionDef)
    found = {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, made)}
    return [f"{old} -> {new}" for old, new in NAMES.items() if old in found]


def participles(text):
    """Functions that are called by a participle, though they are no property."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef):
            continue
        if any("property" in ast.unparse(mark) for mark in node.decorator_list):
            continue
        name = node.name.strip("_")
        if name in PARTICIPLES or (re.fullmatch(r"[a-z]+ed", name) and name not in VERBS):
            found.append(node.name)
    return found


@named
def test_words_are_the_fields(path):
    text = path.read_text()
    assert banned_words(text) + banned_options(text) == []


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_words_of_tests_are_the_fields_too(path):
    assert banned_words(path.read_text().replace("serve_forever", "")) == []


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_are_the_fields_and_functions_verbs(path):
    text = path.read_text()
    assert banned_names(text) + participles(text) == []


def test_options_are_those_of_now():
    every = {flag for method in METHODS.values() for leaf in leaves(method) for flag in flags(leaf)}
    assert every & set(OPTIONS) == set()


def test_a_banned_word_is_seen():
    """Negative control: in prose, across lines, in a name, in a class, as an option."""
    assert banned_words("The law of large numbers; a lawn.") == ["law -> distribution"]
    assert banned_words('"chains that "\n    "live on"') == ["live on -> persistent"]
    assert banned_words("def list_partners(): ...") == ["partners -> auxiliary networks"]
    assert banned_words("class BaseLaw: ...") == ["law -> distribution"]
    assert banned_words("untold, flaw, cloudy, glens, outlaws") == []
    assert banned_options("Give --fresh 0.1.") == ["--fresh -> --reinit-probability"]
    assert banned_options("Give --latent-dim, --ema-decay and --resample.") == []
    assert banned_names("class Through: ...") == ["Through -> InputTransform"]
    assert banned_names("def pick(): ...") == ["pick -> Buffer.draw"]
    assert participles("def trained(): ...\ndef _kept(): ...\ndef embed(): ...") == [
        "trained",
        "_kept",
    ]
    assert participles("@property\ndef finished(self): ...") == []
