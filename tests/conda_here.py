"""The conda that this process can import, if there is one."""

from __future__ import annotations

import importlib.util

HAS_CONDA = importlib.util.find_spec("conda") is not None
HAS_CLASSIC = importlib.util.find_spec("pycosat") is not None

# What a conda may solve with: some lack even the one that they take by default.
SOLVERS = {"rattler": "conda_rattler_solver", "libmamba": "conda_libmamba_solver"}


def names_checks() -> bool:
    """Tell whether `conda doctor` runs single checks, and lists them; from 26.1 on."""
    from conda.plugins.types import CondaHealthCheck

    return hasattr(CondaHealthCheck, "fixer")


def keeps_channels() -> bool:
    """Tell whether a spec goes on naming the channel that it asks for; from 26.7 on.

    Before, conda keeps no more than the last part of an address.
    """
    if not HAS_CONDA:
        return True
    from conda.models.match_spec import MatchSpec

    return "://host/channel::" in str(MatchSpec("https://host/channel::package"))


def forget_conda() -> None:
    """Make conda read everything anew: it keeps what it has read, per process."""
    from conda.base.context import context, reset_context
    from conda.core.package_cache_data import PackageCacheData
    from conda.core.prefix_data import PrefixData
    from conda.gateways.connection import session

    reset_context()
    PrefixData._cache_.clear()
    PackageCacheData.clear()
    context.plugin_manager.get_cached_solver_backend.cache_clear()
    session.CondaSession.cache_clear()  # it would stay offline, or online
    session.get_session.cache_clear()


def solver() -> str:
    """Return a solver that this conda has."""
    for name, module in SOLVERS.items():
        if importlib.util.find_spec(module):
            return name
    return "classic"
