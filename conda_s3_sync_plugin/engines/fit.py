"""Whether packages that stay fit to those that come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..exceptions import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .ladder import Spec
    from .prefix import Record


def moves_python(old: Any, new: Any) -> bool:  # noqa: ANN401 (conda's or rattler's)
    """Tell whether another python comes, with another folder for its packages.

    Both are packages, or None where there is none.
    """
    if old is None or new is None:
        return False
    before, after = (
        (str(item.version).split(".")[:2], item.python_site_packages_path)
        for item in (old, new)
    )
    return before != after


def check_fit(
    kept: Iterable[Record],
    final: Mapping[str, Any],
    parse: Callable[[str], Spec],
    *,
    python_moves: bool,
) -> None:
    """Raise EngineError where a package that stays would miss what it needs.

    `final`: name -> package, of all that will be there.
    """
    for record in kept:
        if python_moves and record.get("noarch") == "python":
            raise _misfit(record, "it is installed for another python")
        for spec in map(parse, record.get("depends", ())):
            other = final.get(spec.name)
            if not spec.name.startswith("__") and (
                other is None or not spec.matches(other)
            ):
                raise _misfit(record, f"it depends on {spec}")


def _misfit(record: Record, why: str) -> EngineError:
    return EngineError(
        f"{record['name']} cannot stay: {why}.",
        hint="Without --no-prune it is removed, as it was elsewhere.",
    )
