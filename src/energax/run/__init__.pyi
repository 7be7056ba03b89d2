"""What is a run on disk?"""

from .comparing import collect_comparison as collect_comparison
from .comparing import name_methods as name_methods
from .comparing import write_comparison as write_comparison
from .creating import create as create
from .creating import new_run as new_run
from .creating import reproducing_command as reproducing_command
from .evaluating import evaluate as evaluate
from .folder import Folder as Folder
from .folder import shell_command as shell_command
from .reporting import write_report as write_report
from .studying import study as study
from .sweep import Sweep as Sweep
from .sweep import claim as claim
from .training import resume as resume
from .training import train as train
