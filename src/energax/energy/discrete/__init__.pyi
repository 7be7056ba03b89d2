"""What is an energy of bits or categories?"""

from .base import AbstractDiscrete as AbstractDiscrete
from .base import AbstractLocal as AbstractLocal
from .changes import approximate_changes as approximate_changes
from .changes import change_energies as change_energies
from .changes import set_site as set_site
from .clamped import ClampedSites as ClampedSites
