"""How does one energy feel the data?"""

from .base import AbstractMemoryless as AbstractMemoryless
from .base import AbstractObjective as AbstractObjective
from .base import Aux as Aux
from .columns import ColumnRanking as ColumnRanking
from .contrast import ConditionalNoiseContrastiveEstimation as ConditionalNoiseContrastiveEstimation
from .contrast import Divergence as Divergence
from .contrast import NoiseContrastiveEstimation as NoiseContrastiveEstimation
from .contrast import RankingNoiseContrastiveEstimation as RankingNoiseContrastiveEstimation
from .contrast import (
    SelfPerturbedNoiseContrastiveEstimation as SelfPerturbedNoiseContrastiveEstimation,
)
from .coupled import CoupledLikelihood as CoupledLikelihood
from .coverage import coverage_warning as coverage_warning
from .denoising import DenoisingScoreMatching as DenoisingScoreMatching
from .denoising import MultiLevelDenoising as MultiLevelDenoising
from .denoising_levels import LogNormalDenoising as LogNormalDenoising
from .discrete import ConcreteScoreMatching as ConcreteScoreMatching
from .discrete import ExactLikelihood as ExactLikelihood
from .discrete import NeighbourFlow as NeighbourFlow
from .discrete import Perturbation as Perturbation
from .discrete import PseudoLikelihood as PseudoLikelihood
from .discrete import RatioMatching as RatioMatching
from .discrete import SiteDiscrepancy as SiteDiscrepancy
from .discrete import stream_log_z as stream_log_z
from .joint import CrossEntropy as CrossEntropy
from .joint import JointLikelihood as JointLikelihood
from .likelihood import ContrastiveDivergence as ContrastiveDivergence
from .likelihood import ImprovedContrastiveDivergence as ImprovedContrastiveDivergence
from .likelihood import PersistentContrastiveDivergence as PersistentContrastiveDivergence
from .likelihood import ShortRun as ShortRun
from .matching import Direction as Direction
from .matching import FiniteDifferenceScoreMatching as FiniteDifferenceScoreMatching
from .matching import ImplicitScoreMatching as ImplicitScoreMatching
from .matching import SlicedScoreMatching as SlicedScoreMatching
from .recover import EnergyDiscrepancy as EnergyDiscrepancy
from .recover import RecoveryLikelihood as RecoveryLikelihood
from .recover_levels import MultiLevelRecovery as MultiLevelRecovery
from .stein import Kernel as Kernel
from .stein import KernelStein as KernelStein
from .stein import median_bandwidth as median_bandwidth
from .stein import stein_kernel as stein_kernel
from .velocity import MinimumKLContraction as MinimumKLContraction
from .velocity import MinimumProbabilityFlow as MinimumProbabilityFlow
from .velocity import MinimumVelocity as MinimumVelocity
