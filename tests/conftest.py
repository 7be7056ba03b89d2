"""Float64, strict promotion, type hooks: what the laws are tested under."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Nearly all the time of small tests is compilation: plain programs, quickly made, take a tenth.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")

import jax
import pytest
from jaxtyping import install_import_hook

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_disable_most_optimizations", True)

install_import_hook("energax", "beartype.beartype")


@pytest.fixture(autouse=True, scope="module")
def _compiled_programs_are_dropped():
    """Each holds memory maps, of which Linux grants a process 65,530: thousands of tests in one
    process would run out of them, and the compiler then crashes."""
    yield
    jax.clear_caches()


@pytest.fixture
def key():
    """One fixed key: a random test never flakes."""
    return jax.random.key(20260101)


@pytest.fixture(params=["float64", "float32"])
def precision(request):
    """The test runs twice: in float64, and as users run it, in float32 with x64 off."""
    with jax.enable_x64(request.param == "float64"):
        yield request.param
