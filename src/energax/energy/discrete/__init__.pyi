"""What is an energy of bits or categories?"""

from .base import AbstractDiscrete as AbstractDiscrete
from .base import AbstractLocal as AbstractLocal
from .changes import approximate_changes as approximate_changes
from .changes import change_energies as change_energies
from .changes import set_site as set_site
from .clamped import ClampedSites as ClampedSites
from .estimate import fit_site_mixture as fit_site_mixture
from .estimate import fit_sites as fit_sites
from .estimate import make_rbm as make_rbm
from .graph import colour_sites as colour_sites
from .graph import lattice_edges as lattice_edges
from .ising import BoltzmannMachine as BoltzmannMachine
from .ising import Ising as Ising
from .ising import convert_to_boltzmann as convert_to_boltzmann
from .ising import convert_to_ising as convert_to_ising
from .potts import Potts as Potts
from .potts import contact_scores as contact_scores
from .potts import zero_sum_gauge as zero_sum_gauge
from .rbm import AbstractRBM as AbstractRBM
from .rbm import BernoulliRBM as BernoulliRBM
from .rbm import CategoricalRBM as CategoricalRBM
from .rbm import GaussianRBM as GaussianRBM
from .sites import IndependentSites as IndependentSites
from .sites import SiteMixture as SiteMixture
from .tree import ChowLiuTree as ChowLiuTree
from .tree import fit_tree as fit_tree
