"""What do people look at? Results become one self-contained HTML page or a Markdown table."""

from .compare_page import render_comparison as render_comparison
from .comparison import Comparison as Comparison
from .comparison import Entry as Entry
from .comparison_table import render_markdown as render_markdown
from .detection_page import render_detection as render_detection
from .detection_results import DetectionResults as DetectionResults
from .generator_results import GeneratorResults as GeneratorResults
from .generator_results import Reconstructions as Reconstructions
from .generator_results import RefinedDraws as RefinedDraws
from .run_page import render_page as render_page
from .run_results import Density as Density
from .run_results import RunResults as RunResults
