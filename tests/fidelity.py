"""Environments as they may be, and roots in which one is made, sent and received."""

from __future__ import annotations

import shutil
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from io import StringIO
from typing import TYPE_CHECKING, Any

from acceptance import NOTHING_TO_DO, content, spec_name
from hypothesis import strategies as st
from lab import Lab
from make_channel import Channel
from usual_channel import VERSIONS, make_usual_channel

from conda_s3_sync_plugin.location import Location
from conda_s3_sync_plugin.models import Scope
from conda_s3_sync_plugin.report import Silence
from conda_s3_sync_plugin.session import Session
from conda_s3_sync_plugin.state import State
from conda_s3_sync_plugin.store import S3Store
from conda_s3_sync_plugin.sync import Synchronization
from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pytest
    from s3server import S3Server

    from conda_s3_sync_plugin.models import Outcome

#: What installs by pip.
FOR_PIP = ("python", "pip")


@dataclass(frozen=True)
class Drawn:
    """What somebody wants of an environment."""

    specs: tuple[str, ...] = ()
    #: Channels by name, the first before the others.
    channels: tuple[str, ...] = ("one",)
    pip: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    pinned: tuple[str, ...] = ()

    @property
    def asked(self) -> dict[str, str]:
        """Return all specs by package."""
        return {spec_name(spec): spec for spec in self.specs}

    def after(self, other: Drawn) -> Drawn:
        """Return it as what `other` becomes: whoever has a pip keeps that."""
        kept = [spec for spec in FOR_PIP if spec in other.specs]
        return replace(self, specs=tuple(dict.fromkeys((*kept, *self.specs))))


def make_channels(root: Path) -> dict[str, str]:
    """Build the usual channel, and one of other builds and more versions of the same.

    Return their addresses by name.
    """
    one, two = make_usual_channel(root / "one"), Channel(root / "two")
    for number in range(4):
        depends = [f"lib{below:02d}" for below in range(max(number - 2, 0), number)]
        for version in (*VERSIONS, "3.0"):
            two.add(f"lib{number:02d}", version, "two_1", depends=depends)
    two.add("odd", depends=["lib03"])
    two.write_index()
    return {"one": one.url, "two": two.url}


NUMBERED = [f"lib{number:02d}" for number in range(8)]
RELATIONS = ("", "=1.1", "==1.0", ">=1.1", ">=1.0,<2", "<2", "!=1.1", "=1.*")

#: What can be met whichever channel is the first: only some builds are in both.
specs = st.one_of(
    st.sampled_from([name + relation for name in NUMBERED for relation in RELATIONS]),
    st.sampled_from(["acty", "clob1", "clob2", "postl"]),
    st.sampled_from([f"lib{number:02d}=1.1=h{number}_0" for number in (5, 6, 7)]),
)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
pins = st.lists(st.sampled_from(["lib00 <9", "lib05 >=1.0"]), unique=True)


@st.composite
def environments(draw: st.DrawFn) -> Drawn:
    """Draw an environment: seldom one with pip, which takes long."""
    one = ("one",)
    channels = draw(st.sampled_from([one, ("two", "one"), ("one", "two")]))
    wanted = draw(st.lists(specs, max_size=4, unique_by=spec_name))
    if "two" in channels and draw(st.booleans()):
        wanted.append("odd")
    some = ("hello==1.0",), ("hello==2.0", "greet==1.0")
    pip = draw(st.sampled_from([*[()] * 18, *some]))
    if pip:
        wanted += [*FOR_PIP, *draw(st.sampled_from([(), ("nopy",)]))]
    variables = draw(
        st.dictionaries(st.sampled_from(["A", "MODE", "mode_2"]), texts, max_size=2)
    )
    return Drawn(tuple(wanted), channels, pip, variables, tuple(draw(pins)))


class Root(Lab):
    """A real root that synchronizes in this process, and its user."""

    def __init__(
        self,
        root: Path,
        monkeypatch: pytest.MonkeyPatch,
        kind: str,
        *,
        s3: S3Server,
        bucket: str,
        channels: Mapping[str, str],
        wheels: Path,
    ) -> None:
        super().__init__(
            root,
            monkeypatch,
            kind,
            channels=channels.values(),
            wheels=wheels,
            endpoint=s3.endpoint,
        )
        self._s3 = s3
        self._channels = channels
        # A run makes its own; to make the client takes longer than all the rest.
        self._store = S3Store(Location.parse(bucket), endpoint_url=s3.endpoint)

    def sync(self, name: str) -> Outcome:
        """Synchronize an environment, as the command does; nothing is to be said."""
        self.enter()
        scope = Scope(frozenset([name]))
        session = Session(self.engine, self._store, State(), scope=scope)
        result = Synchronization(session).run(Silence())
        (outcome,) = result.outcomes
        assert outcome.error is None, outcome
        assert (outcome.notes, result.warnings) == ((), ())
        return outcome

    def forget(self, name: str) -> None:
        """Leave nothing of an environment, and no memory of any."""
        shutil.rmtree(self.prefix(name), ignore_errors=True)
        shutil.rmtree(self.machine.home / ".conda" / "s3-sync", ignore_errors=True)

    def check_quiet(self, name: str) -> None:
        """See that nothing is to do, and that this takes one request."""
        self._s3.requests.clear()
        assert self.sync(name).step.action is Action.NOTHING
        assert self._s3.counts() == NOTHING_TO_DO

    def all_of(self, name: str) -> dict[str, Any]:
        """Return all that an environment is, and by what its changes are noticed."""
        self.enter()
        return {
            **content(self.machine, name),
            "pinned": sorted(self.machine.pins(name)),  # their order means nothing
            "digest": self.export(name).file.digest,
        }

    def check(self, name: str, drawn: Drawn) -> None:
        """See that an environment is what its user has asked for."""
        found = self.all_of(name)
        assert drawn.asked.keys() <= found["packages"].keys()
        assert found["variables"] == drawn.variables
        have = {f"{name}=={version}" for name, version in found["pip"].items()}
        assert set(drawn.pip) <= have
        assert found["pinned"] == sorted(drawn.pinned)

    def create(self, name: str, drawn: Drawn) -> None:
        """Make an environment, with the tools that people here use."""
        self.enter()
        basis = Drawn().after(drawn)
        if basis.specs:
            self._plant(name, basis)
        else:
            self._manage("create", name, drawn)
        self.change(name, basis, drawn)
        # Of an edit, these tools note what is asked for only where packages change.
        requested = content(self.machine, name)["requested"]
        assert set(map(spec_name, requested)) == drawn.asked.keys()

    def _plant(self, name: str, basis: Drawn) -> None:
        """Copy an environment that has a pip, and is made once."""
        if not self.prefix("original").exists():
            self._manage("create", "original", basis)
            self.change("original", Drawn(), basis)
        shutil.copytree(self.prefix("original"), self.prefix(name), symlinks=True)

    def change(self, name: str, old: Drawn, new: Drawn) -> None:
        """Make of an environment another one, with the tools that people here use."""
        self.enter()
        here = {text.partition("==")[0] for text in old.pip}
        if dropped := here - {text.partition("==")[0] for text in new.pip}:
            self.machine.pip(name, "uninstall", "--yes", *sorted(dropped))
        if removed := old.asked.keys() - new.asked.keys():
            self._manage("remove", name, new, sorted(removed))
        if new.asked.items() - old.asked.items() or removed:
            self._manage("install", name, new, new.asked.values())
        if new.pip and new.pip != old.pip:
            self.machine.pip(name, "install", *new.pip)
        if new.variables != old.variables:
            self._set_variables(name, {**dict.fromkeys(old.variables), **new.variables})
        if new.pinned != old.pinned:
            self.machine.pin(name, *new.pinned)

    def _manage(
        self, action: str, name: str, drawn: Drawn, words: Iterable[str] = ()
    ) -> None:
        channels = [self._channels[channel] for channel in drawn.channels]
        if self.kind == "conda":
            where = ["-n", name, "--override-channels"]
            where += [word for url in channels for word in ("-c", url)]
            if words or action == "create":
                _conda(action, *where, *words)
        elif action == "create":
            _rattler_user().create(self.prefix(name))
        else:
            part = "removed" if action == "remove" else "added"
            _rattler_user().change(self.prefix(name), channels, **{part: [*words]})

    def _set_variables(self, name: str, changes: Mapping[str, str | None]) -> None:
        if self.kind != "conda":
            _rattler_user().change_variables(self.prefix(name), changes)
            return
        from conda.core.prefix_data import PrefixData

        data = PrefixData(str(self.prefix(name)))
        gone = [key for key, text in changes.items() if text is None]
        data.unset_environment_env_vars(gone)
        data.set_environment_env_vars(
            {key: text for key, text in changes.items() if text is not None}
        )


def _conda(*arguments: str) -> None:
    from conda.cli.main import main_subshell

    with redirect_stdout(StringIO()):
        assert not main_subshell(*arguments, "--quiet", "--yes")


def _rattler_user() -> Any:
    import rattler_user  # needs its library at once

    return rattler_user
