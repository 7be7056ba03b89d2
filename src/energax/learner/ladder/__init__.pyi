"""How do chains climb from a known distribution to the energy in training?"""

from .insertion import Growth as Growth
from .lag import Pause as Pause
from .learner import Ladder as Ladder
from .learner import LadderState as LadderState
from .log_z import Ratios as Ratios
from .log_z import bennett_root as bennett_root
from .measure import LadderLogZ as LadderLogZ
from .measure import measure_ladder as measure_ladder
from .rungs import Rungs as Rungs
from .rungs import Walkers as Walkers
