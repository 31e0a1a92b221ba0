"""What conda does wrong, or leaves to its callers, when something fails."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from lab import Lab, environment, lock_of

from conda_s3_sync_plugin.exceptions import EngineError

if TYPE_CHECKING:
    from pathlib import Path

    from make_channel import Channel

pytestmark = pytest.mark.conda


@pytest.fixture
def lab(tmp_path: Path, channel: Channel, monkeypatch: pytest.MonkeyPatch) -> Lab:
    return Lab(tmp_path / "here", monkeypatch, channels=[channel.url])


def test_a_history_that_conda_deletes_on_failure_is_put_back(
    lab: Lab, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from conda.core.link import UnlinkLinkTransaction

    lab.make("ml", "lib02=1.1")
    before, history = lab.snapshot("ml"), lab.machine.history("ml")
    execute = UnlinkLinkTransaction.execute

    def execute_as_some_releases_do(transaction: Any) -> None:
        try:
            execute(transaction)
        except BaseException:
            history.unlink()
            raise

    monkeypatch.setattr(UnlinkLinkTransaction, "execute", execute_as_some_releases_do)
    with pytest.raises(EngineError, match="ml could not be changed"):
        lab.apply("ml", environment(), lock_of(channel, "badpost"))
    assert lab.snapshot("ml") == before


def test_an_environment_that_was_read_is_not_kept_in_mind(lab: Lab) -> None:
    from conda.core.prefix_data import PrefixData

    lab.make("ml", "lib01")
    PrefixData._cache_.clear()
    assert lab.export("ml").lock.requested == ("lib01",)
    assert not PrefixData._cache_


@pytest.mark.parametrize("husk", ["conda-meta/history", "conda-meta/created_at", None])
def test_nothing_is_left_of_a_create_that_failed(
    lab: Lab, channel: Channel, monkeypatch: pytest.MonkeyPatch, husk: str | None
) -> None:
    from conda.core.envs_manager import register_env
    from conda.core.link import UnlinkLinkTransaction

    prefix = lab.prefix("ml")
    execute = UnlinkLinkTransaction.execute

    def execute_as_some_releases_do(transaction: Any) -> None:
        try:
            execute(transaction)
        except BaseException:
            (prefix / "conda-meta").mkdir(parents=True, exist_ok=True)
            (prefix / str(husk)).touch()
            register_env(str(prefix))
            raise

    if husk:
        monkeypatch.setattr(
            UnlinkLinkTransaction, "execute", execute_as_some_releases_do
        )
    with pytest.raises(EngineError, match="ml could not be created: .*badpost"):
        lab.apply("ml", environment(), lock_of(channel, "badpost"))
    assert not os.path.lexists(prefix)
    assert lab.registered() == []
    assert [name for name, _ in lab.engine.environments()] == ["root"]


def test_an_interrupted_create_leaves_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    from conda.core.link import UnlinkLinkTransaction

    def interrupt(transaction: Any) -> None:
        lab.prefix("ml").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(UnlinkLinkTransaction, "execute", interrupt)
    with pytest.raises(KeyboardInterrupt):
        lab.apply("ml", environment("lib00"))
    assert not lab.prefix("ml").exists()


def test_what_conda_raises_however_odd_becomes_one_line(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    from conda.core.link import UnlinkLinkTransaction

    for odd in (KeyError("files"), RuntimeError("a\nb"), SystemExit(1)):

        def fail(transaction: Any, odd: BaseException = odd) -> None:
            raise odd

        monkeypatch.setattr(UnlinkLinkTransaction, "execute", fail)
        with pytest.raises(EngineError, match="ml could not be created") as error:
            lab.apply("ml", environment("lib00"))
        assert type(odd).__name__ in error.value.summary
        assert "\n" not in error.value.summary


def test_conda_reads_in_this_process_what_is_there_now(lab: Lab) -> None:
    from conda.core.prefix_data import PrefixData

    def read(*, interoperability: bool) -> set[str]:
        data = PrefixData(str(lab.prefix("ml")), interoperability=interoperability)
        return {record.name for record in data.iter_records()}

    export = lab.make("other", "acty")
    lab.make("ml", "lib00")
    for flag in (True, False):
        assert read(interoperability=flag) == {"lib00"}
    lab.apply("ml", export.file, export.lock)
    for flag in (True, False):
        assert read(interoperability=flag) == {"acty"}
