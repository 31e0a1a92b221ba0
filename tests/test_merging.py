"""Two changes in one: of packages, of what pip has, of variables and of channels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conda_s3_sync_plugin.envfile import render
from conda_s3_sync_plugin.merging import NOTHING, Content, Wish, combine, content_of
from conda_s3_sync_plugin.models import Lock

if TYPE_CHECKING:
    from collections.abc import Mapping

#: base, ours, theirs -> what comes of it; "?" is a collision.
TABLE: dict[str, tuple[Any, Any, Any, Any]] = {
    "never there": (None, None, None, None),
    "unchanged": ("1", "1", "1", "1"),
    "changed here": ("1", "2", "1", "2"),
    "changed there": ("1", "1", "2", "2"),
    "added here": (None, "1", None, "1"),
    "added there": (None, None, "1", "1"),
    "removed here": ("1", None, "1", None),
    "removed there": ("1", "1", None, None),
    "changed on both sides, equally": ("1", "2", "2", "2"),
    "added on both sides, equally": (None, "1", "1", "1"),
    "removed on both sides": ("1", None, None, None),
    "changed on both sides": ("1", "2", "3", "?"),
    "added on both sides": (None, "1", "2", "?"),
    "removed here, changed there": ("1", None, "2", "?"),
    "changed here, removed there": ("1", "2", None, "?"),
}
PARTS = {
    "wishes": ("{}", lambda version: Wish(f"x={version}", version)),
    "pip": ("pip package {}", lambda version: f"x=={version}"),
    "variables": ("variable {}", lambda version: version),
    "pins": ("pin {}", lambda version: f"x {version}"),
}


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"), TABLE.values(), ids=TABLE
)
@pytest.mark.parametrize("part", PARTS)
def test_each_thing_is_taken_from_who_has_changed_it(
    part: str, base: Any, ours: Any, theirs: Any, merged: Any
) -> None:
    told, make = PARTS[part]

    def having(version: str | None) -> Content:
        return replace(NOTHING, **{part: {"x": make(version)} if version else {}})

    content, collisions = combine(*map(having, (base, ours, theirs)))
    if merged != "?":
        assert (content, collisions) == (having(merged), [])
        return
    (collision,) = collisions
    name, _, sides = collision.partition(" (")
    assert name == told.format("x")
    here, there = sides.removesuffix(" in the bucket)").split(" here, ")
    assert (here == "removed") is (ours is None)
    assert (there == "removed") is (theirs is None)


def test_the_same_version_may_be_asked_for_in_many_ways() -> None:
    base, ours, theirs = (
        replace(NOTHING, wishes={"numpy": wish})
        for wish in (
            Wish("numpy", "1"),
            Wish("numpy >=2", "2"),
            Wish("forge::numpy=2", "2"),
        )
    )
    assert combine(base, ours, theirs)[1] == []
    # What nobody has changed stays as it was asked for here.
    again = replace(NOTHING, wishes={"numpy": Wish("numpy=1", "1", is_exact=False)})
    assert combine(base, again, theirs) == (theirs, [])
    assert combine(base, base, again) == (base, [])


CHANNELS = {
    "unchanged": ("ab", "ab", "ab", "ab"),
    "changed here": ("ab", "ba", "ab", "ba"),
    "changed there": ("ab", "ab", "bc", "bc"),
    "equally": ("ab", "bc", "bc", "bc"),
    "on both sides": ("a", "ba", "ac", "bac"),
    "removed and added": ("ab", "a", "abc", "abc"),
    "never in step": ("", "ab", "bc", "abc"),
}


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"), CHANNELS.values(), ids=CHANNELS
)
def test_channels_of_both_sides_are_asked_and_ours_first(
    base: str, ours: str, theirs: str, merged: str
) -> None:
    sides = (replace(NOTHING, channels=tuple(side)) for side in (base, ours, theirs))
    content, collisions = combine(*sides)
    assert (content.channels, collisions) == (tuple(merged), [])


names = st.sampled_from("abc")
values = st.sampled_from("123")
wishes = st.builds(
    lambda version, form: Wish(f"{form}{version}", version),
    values,
    st.sampled_from(["x=", "x>="]),
)
contents = st.builds(
    Content,
    st.dictionaries(names, wishes),
    st.dictionaries(names, values),
    st.dictionaries(names, values),
    st.dictionaries(names, values),
    st.lists(names, unique=True).map(tuple),
)


def meaning(content: Content) -> tuple[Mapping[str, str], ...]:
    wanted = {name: wish.meaning for name, wish in content.wishes.items()}
    return wanted, content.pip, content.variables, content.pins


def names_of(collisions: list[str]) -> set[str]:
    return {collision.partition(" (")[0] for collision in collisions}


@settings(deadline=None)
@given(base=contents, ours=contents, theirs=contents)
def test_merging_is_fair(base: Content, ours: Content, theirs: Content) -> None:
    content, collisions = combine(base, ours, theirs)
    other, mirrored = combine(base, theirs, ours)
    assert names_of(collisions) == names_of(mirrored)
    if not collisions:
        assert meaning(content) == meaning(other)
    assert set(content.channels) == set(other.channels)
    # Nothing is made up, and what both sides agree on stays.
    sides = zip(meaning(ours), meaning(theirs), meaning(content), strict=True)
    for here, there, merged in sides:
        for name in "abc":
            assert merged.get(name) in (here.get(name), there.get(name))


@settings(deadline=None)
@given(base=contents, other=contents)
def test_merging_with_what_has_not_changed_gives_the_other(
    base: Content, other: Content
) -> None:
    for sides in ((base, other), (other, base), (other, other)):
        content, collisions = combine(base, *sides)
        assert collisions == []
        assert meaning(content) == meaning(other)
        assert content.channels == other.channels


def record(name: str, version: str) -> dict[str, str]:
    return {"name": name, "version": version}


def test_a_lock_tells_what_was_asked_for_and_at_which_version() -> None:
    file = render("ml", channels=["main"], specs=["numpy=2=a", "libz=1=a"])
    packages = (record("numpy", "2"), record("libz", "1"))
    lock = Lock(
        file.digest,
        "linux-64",
        packages,
        ("numpy >=1", "gone"),
        elsewhere={"osx::mac-only": "3", "numpy": "0"},
    )
    assert content_of(file, lock).wishes == {
        "numpy": Wish("numpy >=1", "2"),
        "mac-only": Wish("osx::mac-only", "3"),
    }


@pytest.mark.parametrize("lock", [None, Lock("", "linux-64", ())])
def test_without_that_all_that_a_file_says_was(lock: Lock | None) -> None:
    file = render(
        "ml",
        channels=["main", "forge"],
        specs=["numpy=2=a", "python=3.12", "scipy >=1"],
        pip=["six==1", "git+https://h/a.git", "git+https://h/b.git"],
        variables={"A": "1"},
        pinned=["python 3.12.*"],
    )
    assert content_of(file, lock) == Content(
        {
            "numpy": Wish("numpy=2=a", "2"),
            "python": Wish("python=3.12", "3.12", is_exact=False),
            "scipy": Wish("scipy >=1", "", is_exact=False),
        },
        {
            "six": "six==1",
            "git+https://h/a.git": "git+https://h/a.git",
            "git+https://h/b.git": "git+https://h/b.git",
        },
        {"A": "1"},
        {"python": "python 3.12.*"},
        ("main", "forge"),
    )


def test_two_lines_about_one_package_both_stay() -> None:
    files = [
        render("ml", channels=[], specs=order, pinned=order)
        for order in (["x >=1", "x <2"], ["x <2", "x >=1"])
    ]
    first, second = (content_of(file, None) for file in files)
    assert first == second
    for lines in ([wish.spec for wish in first.wishes.values()], first.pins.values()):
        assert sorted(lines) == ["x <2", "x >=1"]
