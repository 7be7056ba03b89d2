"""Do the published experiments come out?"""

from .repeating import EXPERIMENTS as EXPERIMENTS
from .repeating import repeat as repeat
