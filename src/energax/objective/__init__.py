"""How does one energy feel the data?"""

from energax.objective.base import AbstractMemoryless as AbstractMemoryless
from energax.objective.base import AbstractObjective as AbstractObjective
from energax.objective.base import Aux as Aux
from energax.objective.contrast import (
    ConditionalNoiseContrastiveEstimation as ConditionalNoiseContrastiveEstimation,
)
from energax.objective.contrast import Divergence as Divergence
from energax.objective.contrast import NoiseContrastiveEstimation as NoiseContrastiveEstimation
from energax.objective.contrast import (
    RankingNoiseContrastiveEstimation as RankingNoiseContrastiveEstimation,
)
from energax.objective.contrast import (
    SelfPerturbedNoiseContrastiveEstimation as SelfPerturbedNoiseContrastiveEstimation,
)
from energax.objective.coupled import CoupledLikelihood as CoupledLikelihood
from energax.objective.denoising import DenoisingScoreMatching as DenoisingScoreMatching
from energax.objective.denoising import MultiLevelDenoising as MultiLevelDenoising
from energax.objective.joint import CrossEntropy as CrossEntropy
from energax.objective.joint import JointLikelihood as JointLikelihood
from energax.objective.likelihood import ContrastiveDivergence as ContrastiveDivergence
from energax.objective.likelihood import (
    ImprovedContrastiveDivergence as ImprovedContrastiveDivergence,
)
from energax.objective.likelihood import (
    PersistentContrastiveDivergence as PersistentContrastiveDivergence,
)
from energax.objective.likelihood import ShortRun as ShortRun
from energax.objective.matching import Direction as Direction
from energax.objective.matching import (
    FiniteDifferenceScoreMatching as FiniteDifferenceScoreMatching,
)
from energax.objective.matching import ImplicitScoreMatching as ImplicitScoreMatching
from energax.objective.matching import SlicedScoreMatching as SlicedScoreMatching
from energax.objective.recover import EnergyDiscrepancy as EnergyDiscrepancy
from energax.objective.recover import RecoveryLikelihood as RecoveryLikelihood
from energax.objective.recover_levels import (
    MultiLevelRecovery as MultiLevelRecovery,
)
from energax.objective.stein import Kernel as Kernel
from energax.objective.stein import KernelStein as KernelStein
from energax.objective.stein import median_bandwidth as median_bandwidth
from energax.objective.stein import stein_kernel as stein_kernel
from energax.objective.velocity import MinimumKLContraction as MinimumKLContraction
from energax.objective.velocity import MinimumProbabilityFlow as MinimumProbabilityFlow
from energax.objective.velocity import MinimumVelocity as MinimumVelocity
