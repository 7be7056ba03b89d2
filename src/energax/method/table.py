"""The only list of methods: for real numbers, for bits and categories, for mixed columns."""

import importlib
import importlib.metadata
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from energax.errors import InputError
from energax.method import (
    columns,
    contrast,
    denoising,
    dual,
    f_divergence,
    game,
    likelihood,
    local,
    mass,
    matching,
    noise_levels,
    recovery,
    stein,
    teaching,
)
from energax.method.base import AbstractMethod
from energax.method.kind import MASS_KINDS, MIXED_KINDS
from energax.options import Option, leaves
from energax.suggest import suggest

ENTRY_POINTS = "energax.methods"
"""The group of entry points by which other packages add methods."""

ABOUT = ("name", "title", "source", "minimises", "use", "trap")
"""What every method says of itself."""

SHOWN = 12
"""Methods that a refusal names, at most."""

METHODS: dict[str, type[AbstractMethod]] = {
    method.name: method
    for method in (
        contrast.NoiseContrastiveEstimation,
        likelihood.PersistentContrastiveDivergence,
        likelihood.ContrastiveDivergence,
        likelihood.ImprovedContrastiveDivergence,
        likelihood.ShortRun,
        recovery.RecoveryLikelihood,
        matching.ImplicitScoreMatching,
        matching.SlicedScoreMatching,
        matching.FiniteDifferenceScoreMatching,
        denoising.DenoisingScoreMatching,
        matching.MinimumVelocity,
        stein.KernelStein,
        contrast.RankingNoiseContrastiveEstimation,
        contrast.ConditionalNoiseContrastiveEstimation,
        contrast.SelfPerturbedNoiseContrastiveEstimation,
        local.EnergyDiscrepancy,
        local.MinimumProbabilityFlow,
        local.MinimumKLContraction,
        likelihood.CoupledLikelihood,
        noise_levels.DenoisingLevels,
        denoising.DenoisingAtManyLevels,
        recovery.RecoveryAtManyLevels,
        game.AdversarialLikelihood,
        game.AdversarialGenerator,
        game.FlowContrastive,
        game.LearnedStein,
        f_divergence.KullbackLeibler,
        f_divergence.ReverseKullbackLeibler,
        f_divergence.JensenShannon,
        f_divergence.Hellinger,
        f_divergence.Pearson,
        teaching.CooperativeLearning,
        teaching.DualMCMCTeaching,
        contrast.JointLikelihood,
        dual.DualTraining,
    )
}
"""For real numbers and images, by name, in the order in which they are shown."""

MASS_METHODS: dict[str, type[AbstractMethod]] = {
    method.name: method
    for method in (
        mass.ExactLikelihood,
        mass.PersistentContrastiveDivergence,
        mass.Ladder,
        mass.ContrastiveDivergence,
        mass.NoiseContrastiveEstimation,
        mass.RankingNoiseContrastiveEstimation,
        mass.PseudoLikelihood,
        mass.RatioMatching,
        mass.NeighbourFlow,
        mass.ConcreteScoreMatching,
        mass.SiteDiscrepancy,
    )
}
"""For bits and categories, likewise."""

MIXED_METHODS: dict[str, type[AbstractMethod]] = {
    method.name: method for method in (columns.ColumnRanking,)
}
"""For tables of mixed columns, likewise."""

TABLES = (METHODS, MASS_METHODS, MIXED_METHODS)
"""All of them: a name may stand in several."""


def find_methods(name: str) -> list[type[AbstractMethod]]:
    """The methods of a name: for real numbers, for bits and categories, for mixed columns.

    Those of `TABLES`, of an entry point, or `module:Class`: other packages add
    methods by an entry point of the group `energax.methods`, or a user names the class itself.
    Raises InputError for a name that is none.
    """
    own = [table[name] for table in TABLES if name in table]
    if own:
        return own
    if ":" in name:
        return [_import_method(name)]
    found = _entry_points()
    if name in found:
        return [_check_method(found[name].load(), name)]
    known = [*(own for table in TABLES for own in table), *found]
    raise InputError(
        f"--method {name} is unknown{suggest(name, known, ': `energax methods` lists all.')}"
    )


def find_method(name: str, rows: Any = None) -> type[AbstractMethod]:
    """The method of a name for rows, or their schema; the first of that name where None.

    Raises InputError for a name that is none, or that has no method for these rows.
    """
    found = find_methods(name)
    if rows is None:
        return found[0]
    fits = [method for method in found if rows.space.name in method.spaces]
    if not fits:
        others = ", ".join(method_table(rows))
        raise InputError(
            f"--method {name} does not learn from {rows.space.title}, which {rows.name} holds; "
            f"these do: {others}."
        )
    return fits[0]


def method_table(rows: Any) -> dict[str, type[AbstractMethod]]:
    """The table of methods for the space of rows."""
    if rows.space.name == "columns":
        return MIXED_METHODS
    return MASS_METHODS if rows.space.name in MASS_KINDS else METHODS


def list_methods() -> dict[str, type[AbstractMethod]]:
    """`METHODS`, and those that other packages add by entry points."""
    return METHODS | {name: find_methods(name)[0] for name in _entry_points()}


def spell_method(method: type[AbstractMethod]) -> str:
    """The name by which `find_method` finds a method again."""
    if method in [table.get(method.name) for table in TABLES]:
        return method.name
    own = f"{method.__module__}:{method.__qualname__}"
    return next((name for name, point in _entry_points().items() if point.value == own), own)


def _entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    points = importlib.metadata.entry_points(group=ENTRY_POINTS)
    taken = {name for table in TABLES for name in table}
    return {point.name: point for point in points if point.name not in taken}


def _import_method(name: str) -> type[AbstractMethod]:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as reason:
        raise InputError(f"--method {name} cannot be imported: {reason}.") from reason
    return _check_method(found, name)


def _check_method(found: Any, name: str) -> type[AbstractMethod]:
    derived = isinstance(found, type) and issubclass(found, AbstractMethod)
    if not derived or inspect.isabstract(found):
        raise InputError(
            f"--method {name} is not a method: derive a final class from "
            "energax.method.AbstractMethod."
        )
    missing = [part for part in ABOUT if getattr(found, part, None) is None]
    if missing:
        raise InputError(f"--method {name} does not say its {missing[0]}: give it as a string.")
    return found


def default_method(kind: str) -> type[AbstractMethod]:
    """What is trained where no method is named.

    pcd on bits and categories, denoising-levels on images, columns on mixed columns, nce on all
    else.
    """
    if kind in MIXED_KINDS:
        return MIXED_METHODS["columns"]
    if kind in MASS_KINDS:
        return MASS_METHODS["pcd"]
    return METHODS["denoising-levels" if kind == "image" else "nce"]


def name_owners(is_meant: Callable[[Option], bool]) -> str | None:
    """The methods that have an option, as the end of a refusal; None where no method has it.

    Example:
        >>> ex.method.name_owners(lambda option: option.key == "radius")
        'dual has it'
    """
    every = [item for table in TABLES for item in table.items()]
    owners = [name for name, method in every if any(map(is_meant, leaves(method)))]
    owners = list(dict.fromkeys(owners))
    if not owners:
        return None
    more = f" and {len(owners) - SHOWN} more" if len(owners) > SHOWN else ""
    return f"{', '.join(owners[:SHOWN])}{more} {'has' if len(owners) == 1 else 'have'} it"


def render_table(methods: Mapping[str, type[AbstractMethod]] = METHODS) -> str:
    """Methods as a Markdown table: name, space, what is minimised, when to use it, and its trap.

    Example:
        >>> print(ex.method.render_table().splitlines()[0])
        | method | space | minimises | use it | trap |
    """
    lines = [["method", "space", "minimises", "use it", "trap"], ["---"] * 5]
    for name, method in methods.items():
        titles = ", ".join(method.spaces)
        texts = (titles, method.minimises, method.use, method.trap)
        about = (text.replace("|", "\\|") for text in texts)
        lines.append([f"[`{name}`](#{name})", *about])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
