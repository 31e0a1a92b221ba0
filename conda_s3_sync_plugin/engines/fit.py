"""What packages that stay and packages that come have to do with each other."""

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


def lacking(have: Iterable[Record], want: Iterable[Record]) -> list[Record]:
    """Return which entries of a lock are not installed, or not as they are there.

    Beside another python, all of them: packages that stay may be linked for it anew.
    """
    there = {record["name"]: _identity(record) for record in have}
    entries = list(want)
    found = [item for item in entries if there.get(item["name"]) != _identity(item)]
    return entries if any(item["name"] == "python" for item in found) else found


def _identity(record: Record) -> str:
    return str(record.get("sha256") or record["url"])


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


def told_to_stay(have: Mapping[str, Any], specs: Iterable[Spec]) -> list[str]:
    """Say which installed packages stay, though others are asked for: perhaps all."""
    names = sorted(
        {
            spec.name
            for spec in specs
            if spec.name in have and not spec.matches(have[spec.name])
        }
    )
    if not names:
        return []
    rest = f" and {len(names[5:])} more" if names[5:] else ""
    verb = "stays as it is" if len(names) == 1 else "stay as they are"
    return [f"{', '.join(names[:5])}{rest} {verb}: base is only added to"]


def _misfit(record: Record, why: str) -> EngineError:
    return EngineError(
        f"{record['name']} cannot stay: {why}.",
        hint="Without --no-prune it is removed, as it was elsewhere.",
    )
