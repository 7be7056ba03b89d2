"""How does one energy of bits or categories feel the data?"""

from .conditionals import PseudoLikelihood as PseudoLikelihood
from .conditionals import RatioMatching as RatioMatching
from .discrepancy import Perturbation as Perturbation
from .discrepancy import SiteDiscrepancy as SiteDiscrepancy
from .enumeration import ExactLikelihood as ExactLikelihood
from .enumeration import stream_log_z as stream_log_z
from .ratios import ConcreteScoreMatching as ConcreteScoreMatching
from .ratios import NeighbourFlow as NeighbourFlow
