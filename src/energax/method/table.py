"""The only list of methods."""

import importlib
import importlib.metadata
import inspect
from collections.abc import Callable
from typing import Any

from energax.errors import InputError
from energax.method import (
    contrast,
    denoising,
    dual,
    f_divergence,
    game,
    likelihood,
    local,
    matching,
    recovery,
    stein,
    teaching,
)
from energax.method.base import AbstractMethod
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
"""By name, in the order in which they are shown."""


def find_method(name: str) -> type[AbstractMethod]:
    """The method of a name: one of `METHODS`, of an entry point, or `module:Class`.

    Other packages add methods by an entry point of the group `energax.methods`, or a user names the
    class itself. Raises InputError for a name that is none.
    """
    if name in METHODS:
        return METHODS[name]
    if ":" in name:
        return _import_method(name)
    found = _entry_points()
    if name in found:
        return _check_method(found[name].load(), name)
    known = [*METHODS, *found]
    raise InputError(
        f"--method {name} is unknown{suggest(name, known, ': `energax methods` lists all.')}"
    )


def list_methods() -> dict[str, type[AbstractMethod]]:
    """`METHODS`, and those that other packages add by entry points."""
    return METHODS | {name: find_method(name) for name in _entry_points()}


def spell_method(method: type[AbstractMethod]) -> str:
    """The name by which `find_method` finds a method again."""
    if METHODS.get(method.name) is method:
        return method.name
    own = f"{method.__module__}:{method.__qualname__}"
    return next((name for name, point in _entry_points().items() if point.value == own), own)


def _entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    points = importlib.metadata.entry_points(group=ENTRY_POINTS)
    return {point.name: point for point in points if point.name not in METHODS}


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
    """What is trained where no method is named: pcd on images, nce on all else."""
    return METHODS["pcd" if kind == "image" else "nce"]


def name_owners(is_meant: Callable[[Option], bool]) -> str | None:
    """The methods that have an option, as the end of a refusal; None where no method has it.

    Example:
        >>> ex.method.name_owners(lambda option: option.key == "radius")
        'dual has it'
    """
    owners = [name for name, method in METHODS.items() if any(map(is_meant, leaves(method)))]
    if not owners:
        return None
    more = f" and {len(owners) - SHOWN} more" if len(owners) > SHOWN else ""
    return f"{', '.join(owners[:SHOWN])}{more} {'has' if len(owners) == 1 else 'have'} it"


def render_table() -> str:
    """The methods as a Markdown table: name, what is minimised, when to use it, and its trap.

    Example:
        >>> print(ex.method.render_table().splitlines()[0])
        | method | minimises | use it | trap |
    """
    lines = [["method", "minimises", "use it", "trap"], ["---"] * 4]
    for name, method in METHODS.items():
        about = (text.replace("|", "\\|") for text in (method.minimises, method.use, method.trap))
        lines.append([f"[`{name}`](#{name})", *about])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
