"""Train an energy on a data set: the main job, as one command."""

import dataclasses
import inspect
import itertools
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

from energax import data, run
from energax.cli.parser import flags, parse_values, render_groups, wrap
from energax.errors import InputError
from energax.method import (
    MASS_METHODS,
    METHODS,
    MIXED_METHODS,
    TABLES,
    AbstractMethod,
    default_method,
    find_method,
    find_methods,
    kind_of,
    name_owners,
    spell_method,
)
from energax.options import Option, Range, check, check_value, leaves, option, replace
from energax.progress import show_stages, stage
from energax.suggest import suggest

FRACTION = Range(0, 1, open_low=True, open_high=True)

OWN = "method"
"""The heading of options that belong to no group."""

TITLES = {
    "validation": "training",
    "inputs": "inputs and base",
    "base": "inputs and base",
    "width": "rival",
}
"""Headings of groups of options that have another name than their field."""


@dataclasses.dataclass(frozen=True)
class Train:
    """Fit an energy to a data set, then sample, evaluate and report it."""

    data: str = option(
        "A name (digits, two-moons, eight-gaussians, checkerboard, rings, mnist, fashion-mnist; "
        "nltcs, plants, jester, dna, rna, mnist-binary, digits-binary) or a path: .npy, .npz, "
        ".csv, .parquet, .data, .fasta, an idx file, a folder of images.",
        default="digits",
        positional=True,
    )
    method: str | None = option(
        "How it is trained: a name of `energax methods`, or module:Class.",
        default=None,
        metavar="NAME",
        unset="nce; denoising-levels for large images, pcd for bits, columns for mixed tables",
    )
    out: Path | None = option(
        "Folder of the run; must not exist.", default=None, unset="runs/DATA-METHOD-NUMBER"
    )
    resume: Path | None = option(
        "Folder of a run to go on with, bit for bit; all other options come from it.", default=None
    )
    evaluate: bool = option("Evaluate and report after training.", default=True)
    test_fraction: float = option(
        "Share of a file's rows that is kept for the test, where the file does not say.",
        FRACTION,
        default=0.2,
    )
    column: tuple[str, ...] = option(
        "What a column of a .csv or .parquet is: number, integer, category, boolean or date.",
        default=(),
        metavar="NAME=KIND",
    )
    drop: tuple[str, ...] = option(
        "A column of a .csv or .parquet that is left out.", default=(), metavar="NAME"
    )
    options: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __call__(self) -> None:
        if self.resume is not None:
            folder, rows = run.Folder(self.resume), None
        else:
            rows = read_data(self.data, self.test_fraction, self.column, self.drop)
            method = choose(self.method, rows)
            check_options(self.options, method)
            chosen = replace(method.preset_for(rows), **self.options)
            reading = [w for c in self.column for w in ("--column", c)]
            reading += [w for c in self.drop for w in ("--drop", c)]
            folder = run.new_run(self.data, rows, chosen, self.test_fraction, self.out, reading)
        with run.hold_run(folder):
            if rows is None and not folder.finished:
                with stage("reading the run"):
                    rows = folder.dataset()
            self._complete(folder, rows)

    def _complete(self, folder: "run.Folder", rows: "data.Dataset | None") -> None:
        """Train, evaluate and report."""
        with nullcontext() if self.resume else run.remove_unstarted(folder):
            run.train(folder, rows)
        if not self.evaluate:
            print(f"Trained {folder.path}; measure it by: {run.shell_command('evaluate', folder)}")
            return
        measured = run.evaluate(folder, rows)
        print(measured)
        run.write_report(folder, rows, measured)
        print(f"Report: {folder['report.html']}")


def read_data(
    name: str, test_fraction: float, column: Sequence[str] = (), drop: Sequence[str] = ()
) -> "data.Dataset":
    """A data set by its name or path, with a sign of life, and what speaks against it."""
    kinds = dict(map(_split_kind, column))
    with stage(f"reading {name}"):
        rows = data.load(name, test_fraction=test_fraction, columns=kinds, drop=drop)
    if rows.kinds is not None:
        print(data.describe_columns(rows.kinds, rows.train, rows.test))
    for caution in rows.cautions:
        print(f"Warning: {caution.text}")
    return rows


def _split_kind(word: str) -> tuple[str, str]:
    """The name and the kind of NAME=KIND."""
    name, equals, kind = word.rpartition("=")
    if not (name and equals):
        raise InputError(f"--column {word} says no kind: give NAME=KIND, such as age=number.")
    return name, kind


def choose(name: str | None, rows: Any) -> type[AbstractMethod]:
    """The method of a name, or what suits the rows where none is named."""
    return default_method(kind_of(rows)) if name is None else find_method(name, rows)


def check_options(given: dict[str, Any], method: type[AbstractMethod]) -> None:
    """Raise InputError for an option that the method does not have."""
    known = {leaf.key for leaf in leaves(method)}
    for key in given:
        if key not in known:
            raise InputError(refuse_option("--" + key.replace("_", "-"), method))


def refuse_option(flag: str, method: type[AbstractMethod]) -> str:
    """Why a method does not take an option: it is another's, or misspelt."""
    own = [one for leaf in (*leaves(Train), *leaves(method)) for one in flags(leaf)]
    owners = name_owners(lambda leaf: flag in flags(leaf))
    if owners is not None:
        return f"{flag} is not an option of --method {method.name}; {owners}."
    others = [method for table in TABLES for method in table.values()]
    every = [one for other in others for leaf in leaves(other) for one in flags(leaf)]
    rest = f": see energax train --method {method.name} --help."
    return f"There is no option {flag}{suggest(flag, own, suggest(flag, every, rest))}"


def parse(words: Sequence[str]) -> Train | None:
    """The command that the words say; None where they ask for help, which is printed.

    Options are checked before anything is read: a misspelt one is refused at once.
    """
    own = list(leaves(Train))
    plain = [word for word in words if word not in ("-h", "--help")]
    name = _find_name(plain)
    kinds = ("table", "image", "bits", "mixed")
    trees = [default_method(kind) for kind in kinds] if name is None else find_methods(name)
    method, every = trees[0], merge_leaves(trees)
    known = [flag for leaf in (*own, *every) for flag in flags(leaf)]
    for word in plain:
        flag = word.partition("=")[0]
        if flag.startswith("--") and flag not in known:
            raise InputError(refuse_option(flag, method))
    values = parse_values([*own, *every], "energax train", plain)
    chosen = {key: values.pop(key) for key in [leaf.key for leaf in every] if key in values}
    if len(plain) < len(words):
        print(render_help(values.get("data", "digits"), name, values.get("test_fraction", 0.2)))
        return None
    if "resume" in values:
        _check_alone(
            values["resume"], [leaf for leaf in (*own, *every) if leaf.key in values | chosen]
        )
    for leaf in every:
        if leaf.key in chosen:
            check_value(leaf, chosen[leaf.key])
    made = Train(**values, options=chosen)
    check(made)
    show_stages()
    return made


def merge_leaves(trees: Sequence[type[AbstractMethod]]) -> list[Option]:
    """The options of all trees; one of several takes the values of any, until rows decide."""
    found: dict[str, Option] = {}
    for leaf in [leaf for tree in trees for leaf in leaves(tree)]:
        known = found.get(leaf.key)
        if known is not None and known.choices and leaf.choices:
            words = tuple(dict.fromkeys((*known.choices, *leaf.choices)))
            leaf = dataclasses.replace(leaf, type=Literal[words])
        found[leaf.key] = leaf
    return list(found.values())


def _check_alone(path: Path, given: Sequence[Option]) -> None:
    """Raise InputError for an option beside --resume that the run itself holds."""
    others = [leaf.flag for leaf in given if leaf.key not in ("resume", "evaluate")]
    if others:
        raise InputError(f"--resume takes all options from {path}: leave out {others[0]}.")


def _find_name(words: Sequence[str]) -> str | None:
    """The name after --method, read before the parser is built, for its options depend on it."""
    found = None
    for word, following in itertools.zip_longest(words, words[1:]):
        if word.startswith("--method="):
            found = word.partition("=")[2]
        elif word == "--method" and following is not None:
            found = following
    # Of an option that is given twice, the last counts.
    return found


def render_help(source: str, name: str | None, test_fraction: float) -> str:
    """The help of training: of the command, or of a method with the values that a data set gets."""
    if name is not None:
        return _render_method(source, name, test_fraction)
    own = leaves(Train)
    return "\n".join(
        [
            "usage: energax train [DATA] --method NAME [options]",
            "",
            *wrap(inspect.getdoc(Train) or ""),
            *render_groups({"options": list(own)}, {leaf.key: leaf.default for leaf in own}),
            "",
            *wrap(f"methods: {', '.join(METHODS)}"),
            *wrap(f"methods for bits and categories: {', '.join(MASS_METHODS)}"),
            *wrap(f"methods for tables with text or missing cells: {', '.join(MIXED_METHODS)}"),
            "The options of a method, with the values that DATA gets:",
            "  energax train DATA --method NAME --help",
        ]
    )


def _render_method(source: str, name: str, test_fraction: float) -> str:
    rows = data.load(source, test_fraction=test_fraction)
    method = find_method(name, rows)
    preset = method.preset_for(rows)
    every = leaves(preset)
    return "\n".join(
        [
            f"usage: energax train [DATA] --method {spell_method(method)} [options]",
            "",
            *wrap(f"{inspect.getdoc(method)} {method.source}.")[:-1],
            f"In parentheses: for {rows.name}. DATA, --out, --resume ...: energax train --help",
            "",
            *render_groups(_group(every), {leaf.key: leaf.of(preset) for leaf in every}),
        ]
    )


def _group(every: Sequence[Option]) -> dict[str, list[Option]]:
    """Options under the headings of a help: those alone in their group under `method`."""
    count = Counter(_title(leaf) for leaf in every)
    groups: dict[str, list[Option]] = {}
    for leaf in every:
        title = _title(leaf)
        groups.setdefault(title if count[title] > 1 else OWN, []).append(leaf)
    return groups | {OWN: groups.pop(OWN, [])}


def _title(leaf: Option) -> str:
    """The heading of an option: the name of its group."""
    if len(leaf.path) == 1:
        return OWN
    return TITLES.get(leaf.path[0], leaf.path[0])
