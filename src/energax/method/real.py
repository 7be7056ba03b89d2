"""Methods for rows of real numbers: their units, and the base distribution that is tilted."""

import abc
import dataclasses
from typing import Any, ClassVar, TypeVar

from energax.errors import InputError
from energax.method import build
from energax.method.base import AbstractMethod
from energax.method.groundwork import Groundwork
from energax.method.parts import BOX, Base, Inputs

T = TypeVar("T", bound="AbstractRealMethod")

LOOKED_AT = 1000
"""Validation rows at most."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AbstractRealMethod(AbstractMethod):
    """A method for rows of real numbers, and for images, which are dequantised."""

    inputs: Inputs
    base: Base

    spaces: ClassVar[tuple[str, ...]] = ("reals",)
    networks: ClassVar[tuple[str, ...]] = ("mlp", "conv", "shallow")
    needs_base: ClassVar[bool] = False
    """Does it draw from the base in each update, or need it to stay near the data?"""
    suits_box: ClassVar[bool] = True
    """Does it go with a base that is a box?"""
    judges_itself: ClassVar[bool] = False
    """Is its loss, a mean over rows, lowest for the best energy? Not that of chains or games."""

    def validate_base(self) -> None:
        if self.needs_base and self.base.kind == "none":
            raise InputError(f"--method {self.name} needs a base: choose another --base.")

    @property
    def base_kind(self) -> str:
        return self.base.kind

    @property
    def base_title(self) -> str:
        return str(self.base)

    @property
    def judged(self) -> bool:
        # Every row outranks the draws of a box: such a loss says nothing.
        return self.judges_itself or self.base.kind != "box"

    def make_criterion(self, ground: Groundwork) -> tuple[Any, int]:
        """The rank of a row among draws of the base: a cheap stand-in for the likelihood."""
        return build.rank_among_draws(ground.base), LOOKED_AT

    def settle(self: T, rows: Any) -> tuple[T, str | None]:
        """The method, a base that leaves something open chosen on held-out training rows."""
        choose = self.validation.validation > 0
        base, found = build.settle_base(self.base, self.inputs, rows, choose=choose)
        return dataclasses.replace(self, base=base), found

    def fit_ground(self, rows: Any) -> tuple[Any, Any]:
        transform = build.fit_transform(self.inputs, rows)
        return transform, self.fit_base(rows, transform)

    def fit_base(self, rows: Any, transform: Any) -> Any:
        """The base distribution in the model units of a transform."""
        return build.fit_base(self.base, rows, transform, seed=self.training.seed)

    def blank_base(self, schema: Any) -> Any:
        return build.blank_base(self.base, schema.shape)

    def check_ground(self, rows: Any) -> None:
        if self.base.kind == "box" and not self.suits_box:
            raise InputError(
                f"--method {self.name} has particles that would leave a box: choose another --base "
                "(gaussian, mixture or flow)."
            )
        if self.base.kind == "box" and not self._fits_box(rows):
            raise InputError(
                f"--base box is uniform on {list(BOX)}, which --transform {self.inputs.transform} "
                "does not bring the data to: choose --transform box."
            )

    def _fits_box(self, rows: Any) -> bool:
        if self.inputs.transform == "box":
            return True
        inside = rows.levels is not None or abs(rows.train).max() <= BOX[1]
        return self.inputs.transform == "none" and bool(inside)

    @abc.abstractmethod
    def build(self, ground: Groundwork, *, key: Any) -> tuple[Any, Any]:
        """What the learner moves, new, and the learner."""
