"""What do people look at?"""

from energax.report.comparison import Comparison as Comparison
from energax.report.comparison import Entry as Entry
from energax.report.comparison import markdown as markdown
from energax.report.comparison_page import comparison_page as comparison_page
from energax.report.material import Density as Density
from energax.report.material import Material as Material
from energax.report.page import page as page
from energax.report.partners import Partners as Partners
from energax.report.partners import Reconstructed as Reconstructed
from energax.report.partners import Revised as Revised
