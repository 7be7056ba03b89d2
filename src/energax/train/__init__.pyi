"""How does it run?"""

from .interrupt import Interrupt as Interrupt
from .log import Bar as Bar
from .log import Log as Log
from .loop import Run as Run
from .loop import fit as fit
from .loop import fit_until as fit_until
from .loop import start as start
from .save import Checkpoints as Checkpoints
from .save import list_parts as list_parts
from .save import read_weights as read_weights
from .save import write_weights as write_weights
