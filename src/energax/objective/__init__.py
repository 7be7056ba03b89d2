"""How does one energy feel the data?"""

from energax.objective.base import AbstractObjective as AbstractObjective
from energax.objective.base import Aux as Aux
from energax.objective.contrast import NoiseContrastiveEstimation as NoiseContrastiveEstimation
from energax.objective.denoising import DenoisingScoreMatching as DenoisingScoreMatching
from energax.objective.likelihood import ContrastiveDivergence as ContrastiveDivergence
from energax.objective.likelihood import (
    PersistentContrastiveDivergence as PersistentContrastiveDivergence,
)
from energax.objective.likelihood import ShortRun as ShortRun
from energax.objective.matching import SlicedScoreMatching as SlicedScoreMatching
