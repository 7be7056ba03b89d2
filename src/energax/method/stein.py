"""Kernel Stein discrepancy."""

import dataclasses
from typing import Any, Literal

from energax import objective
from energax.method.descent import AbstractDescentMethod
from energax.method.groundwork import Groundwork
from energax.method.kind import Kind
from energax.options import at_least, option, replace

Kernel = Literal["gaussian", "multiquadric"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class KernelStein(AbstractDescentMethod):
    """Kernel Stein discrepancy: scores of the model against those of the data, under a kernel."""

    kernel: Kernel = option("Kernel: multiquadric (inverse) or gaussian.", default="multiquadric")
    bandwidth: float = option(
        "Width of the kernel in model units; 0: the median distance within a batch.",
        at_least(0),
        default=0.0,
    )

    name = "stein"
    title = "kernel Stein discrepancy"
    source = "Liu, Lee and Jordan (2016); Chwialkowski, Strathmann and Gretton (2016)"
    minimises = "kernel Stein discrepancy"
    use = "few dimensions, without a Hessian"
    trap = "weak in many dimensions; blind to the weights of distant modes"
    judges_itself = False

    @classmethod
    def preset(cls, kind: Kind) -> "KernelStein":
        usual = cls.usual(kind)
        if kind == "plane":
            return replace(usual, bandwidth=0.06, base="mixture", steps=1500, learning_rate=2e-3)
        return usual

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.KernelStein(self.kernel, bandwidth=self.bandwidth or None)
