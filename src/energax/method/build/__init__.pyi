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
from .memory import check_players as check_players
from .optimisers import make_optimiser as make_optimiser
from .pairs import NetworkPair as NetworkPair
from .pairs import make_pair as make_pair
from .pairs import number_rows as number_rows
from .transforms import encode as encode
from .transforms import fit_transform as fit_transform
