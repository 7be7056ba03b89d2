"""The command line."""

from .entry import main as main
from .entry import run as run
from .p_values import write_p_values as write_p_values
from .pictures import choose_pairs as choose_pairs
from .pictures import hide_nothing as hide_nothing
from .pictures import hide_part as hide_part
from .pictures import write_inpainted as write_inpainted
from .pictures import write_lines as write_lines
from .pictures import write_pairs as write_pairs
from .scores import write_scores as write_scores
