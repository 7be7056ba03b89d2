"""From options and rows to what is trained: transform, base, energy, optimisers."""

from .base import blank_base as blank_base
from .base import fit_base as fit_base
from .base import fitting_rows as fitting_rows
from .energies import UnmapPixels as UnmapPixels
from .energies import find_base as find_base
from .energies import find_tilt as find_tilt
from .energies import make_energy as make_energy
from .energies import make_network as make_network
from .flows import blank_flow as blank_flow
from .flows import fit_rival_flow as fit_rival_flow
from .flows import fold_key as fold_key
from .mass import blank_mass_base as blank_mass_base
from .mass import choose_rows as choose_rows
from .mass import fit_biases as fit_biases
from .mass import fit_mass_base as fit_mass_base
from .mass import make_kernel as make_kernel
from .mass import make_mass as make_mass
from .mass import split_valid as split_valid
from .memory import check_players as check_players
from .optimisers import make_optimiser as make_optimiser
from .pairs import NetworkPair as NetworkPair
from .pairs import make_pair as make_pair
from .pairs import number_rows as number_rows
from .transforms import encode as encode
from .transforms import fit_transform as fit_transform
