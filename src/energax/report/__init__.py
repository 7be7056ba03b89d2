"""What do people look at?"""

from energax.report.material import Density as Density
from energax.report.material import Material as Material
from energax.report.page import page as page
