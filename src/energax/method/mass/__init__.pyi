"""Which combinations work on bits and categories?"""

from .base import AbstractMassMethod as AbstractMassMethod
from .chains import ContrastiveDivergence as ContrastiveDivergence
from .chains import PersistentContrastiveDivergence as PersistentContrastiveDivergence
from .contrast import NoiseContrastiveEstimation as NoiseContrastiveEstimation
from .contrast import RankingNoiseContrastiveEstimation as RankingNoiseContrastiveEstimation
from .local import ConcreteScoreMatching as ConcreteScoreMatching
from .local import ExactLikelihood as ExactLikelihood
from .local import NeighbourFlow as NeighbourFlow
from .local import PseudoLikelihood as PseudoLikelihood
from .local import RatioMatching as RatioMatching
from .local import SiteDiscrepancy as SiteDiscrepancy
