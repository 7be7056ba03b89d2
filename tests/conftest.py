"""Float64, strict promotion, type hooks: what all is tested under; and what makes tests quick."""

import gc
import os
import sys
import threading
from pathlib import Path

if sys.dont_write_bytecode:
    # Every test process, and every command that a test starts, imports thousands of modules, and
    # would compile them again: the bytecode is kept all the same, apart from the sources.
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")
    sys.dont_write_bytecode = False
    os.environ |= {"PYTHONPYCACHEPREFIX": sys.pycache_prefix, "PYTHONDONTWRITEBYTECODE": ""}

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# The test processes are the threads: those of BLAS would wait for each other.
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
# Nearly all the time of small tests is compilation. Plain programs, quickly made, take a tenth of
# it; one LLVM module each, not 32 for as many threads, halves that again.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1",
)

import jax
import pytest
from jax._src.interpreters import mlir
from jaxtyping import install_import_hook
from threadpoolctl import threadpool_limits

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_disable_most_optimizations", True)
jax.config.update("jax_traceback_in_locations_limit", 0)

install_import_hook("energax", "beartype.beartype")
threadpool_limits(1)  # plugins of pytest have loaded NumPy, which no longer reads the variables

new_context = mlir.make_ir_context
shared = threading.local()


def make_context():
    """Where JAX writes a program before it is compiled: one for a hundred programs.

    A new one takes longer than a small program; one that serves thousands grows slow. With threads,
    MLIR would look up every name in a table of its thread that only grows.
    """
    shared.left = getattr(shared, "left", 0) - 1
    if shared.left < 0:
        shared.context, shared.left = new_context(), 100
        shared.context.enable_multithreading(False)
    return shared.context


mlir.make_ir_context = make_context

MAPS = Path("/proc/self/maps")
MANY_MAPS = 8_000


def pytest_collection_finish():
    """The modules that are loaded now stay: the garbage collector need not visit them again."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(autouse=True, scope="module")
def _drop_compiled_programs():
    """A program holds about three memory maps, of which Linux grants a process 65,530: thousands of
    tests in one process would run out of them, and the compiler then crashes. Until there are many
    the programs stay, since the small ones serve other modules too; to drop ten times as many would
    take a hundred times as long."""
    yield
    if not MAPS.exists() or MAPS.read_bytes().count(b"\n") > MANY_MAPS:
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
