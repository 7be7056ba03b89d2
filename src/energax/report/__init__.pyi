"""What do people look at?"""

from .compare_page import comparison_page as comparison_page
from .comparison import Comparison as Comparison
from .comparison import Entry as Entry
from .comparison import markdown as markdown
from .material import Density as Density
from .material import Material as Material
from .partners import Partners as Partners
from .partners import Reconstructed as Reconstructed
from .partners import Revised as Revised
from .run_page import page as page
