"""conda's settings without conda: found and put together as conda itself does it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from conda_asked import ask_conda
from machine import Machine

from conda_s3_sync_plugin.condarc import Condarc
from conda_s3_sync_plugin.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: How each setting is asked for.
READ: dict[str, Callable[[Condarc, str], Any]] = {
    "channels": Condarc.items,
    "default_channels": Condarc.items,
    "envs_dirs": lambda condarc, name: condarc.items(name, os.pathsep),
    "channel_alias": Condarc.text,
    "subdir": Condarc.text,
    "custom_channels": Condarc.mapping,
    "custom_multichannels": Condarc.mapping,
    "offline": lambda condarc, name: condarc.flag(name, default=False),
    "plugins.s3_sync_location": Condarc.text,
    "plugins.s3_sync_path_filter": Condarc.text,
    "plugins.s3_sync_prune": lambda condarc, name: condarc.flag(name, default=True),
    "plugins.s3_sync_record_host": lambda condarc, name: condarc.flag(
        name, default=True
    ),
}


@dataclass(frozen=True)
class Case:
    """Files and variables, and what comes of them; HOME and BASE stand for folders."""

    files: dict[str, object]
    answers: dict[str, Any]
    variables: dict[str, str] = field(default_factory=dict)


# fmt: off
CASES = {
    "nothing": Case({}, {
        "channels": [], "envs_dirs": [], "offline": False, "subdir": "",
        "plugins.s3_sync_location": "", "plugins.s3_sync_prune": True,
    }),
    "every-place-in-its-order": Case({
        "BASE/.condarc": {"subdir": "a", "channels": ["a"]},
        "BASE/condarc": {"channels": ["b"]},
        "BASE/condarc.d/1.yml": {"channels": ["c"]},
        "HOME/xdg/conda/.condarc": {"channels": ["d"]},
        "HOME/xdg/conda/condarc.d/1.yaml": {"channels": ["e"]},
        "HOME/.config/conda/condarc": {"channels": ["f"]},
        "HOME/.conda/.condarc": {"channels": ["g"]},
        "HOME/.conda/condarc.d/1.yml": {"channels": ["h"]},
        "HOME/.condarc": {"channels": ["i"]},
        "HOME/env/.condarc": {"channels": ["j"]},
        "HOME/env/condarc.d/1.yml": {"channels": ["k"]},
        "HOME/named.yml": {"subdir": "l", "channels": ["l"]},
    }, {"channels": list("lkjihgfedcba"), "subdir": "l"}, {
        "XDG_CONFIG_HOME": "HOME/xdg", "CONDA_PREFIX": "HOME/env",
        "CONDARC": "HOME/named.yml",
    }),
    "a-folder-by-name": Case({
        "HOME/.conda/condarc.d/20.yml": {"subdir": "weak", "channels": ["two"]},
        "HOME/.conda/condarc.d/9.yml": {"subdir": "strong", "channels": ["nine"]},
        "HOME/.conda/condarc.d/30.txt": {"channels": ["no-yaml"]},
        "HOME/.conda/condarc.d/more/1.yml": {"channels": ["too-deep"]},
    }, {"channels": ["nine", "two"], "subdir": "strong"}),
    "condarc-is-a-folder": Case({
        "HOME/set/b.yml": {"channels": ["b"]}, "HOME/set/a.yaml": {"channels": ["a"]},
        "HOME/set/.condarc": {"channels": ["not-here"]},
    }, {"channels": ["b", "a"]}, {"CONDARC": "HOME/set"}),
    "condarc-of-another-ending": Case(
        {"HOME/set.conf": {"channels": ["x"]}}, {"channels": []},
        {"CONDARC": "HOME/set.conf"},
    ),
    "condarc-with-a-tilde": Case(
        {"HOME/set.yml": {"channels": ["x"]}}, {"channels": ["x"]},
        {"CONDARC": "~/set.yml"},
    ),
    "base-is-active": Case({
        "BASE/.condarc": {"subdir": "base"}, "HOME/.condarc": {"subdir": "home"},
    }, {"subdir": "home"}, {"CONDA_PREFIX": "BASE"}),
    "variables-win-and-lists-add-up": Case({
        "HOME/.condarc": {
            "subdir": "file", "channels": ["c", "a"], "offline": False,
            "plugins": {"s3_sync_location": "file", "s3_sync_prune": True},
        },
    }, {
        "subdir": "variable", "channels": ["a", "b", "c"], "offline": True,
        "plugins.s3_sync_location": "variable", "plugins.s3_sync_prune": False,
    }, {
        "CONDA_SUBDIR": "variable", "CONDA_CHANNELS": "a, b ,,", "CONDA_OFFLINE": "Yes",
        "CONDA_PLUGINS_S3_SYNC_LOCATION": "variable",
        "CONDA_PLUGINS_S3_SYNC_PRUNE": "off",
    }),
    "an-empty-variable-is-a-value": Case({
        "HOME/.condarc": {
            "subdir": "file", "channels": ["c"], "offline": True,
            "plugins": {"s3_sync_location": "file", "s3_sync_record_host": True},
        },
    }, {
        "subdir": "", "channels": ["c"], "offline": False,
        "plugins.s3_sync_location": "", "plugins.s3_sync_record_host": False,
    }, dict.fromkeys((
        "CONDA_SUBDIR", "CONDA_CHANNELS", "CONDA_OFFLINE",
        "CONDA_PLUGINS_S3_SYNC_LOCATION", "CONDA_PLUGINS_S3_SYNC_RECORD_HOST",
    ), "")),
    "plugins-setting-by-setting": Case({
        "BASE/.condarc": {"plugins": {
            "s3_sync_location": "base", "s3_sync_path_filter": "^/a$", "other": [1],
        }},
        "HOME/.condarc": {"plugins": {"s3_sync_location": "home"}},
    }, {
        "plugins.s3_sync_location": "home", "plugins.s3_sync_path_filter": "^/a$",
    }),
    "dollars": Case({
        "HOME/.condarc": {
            "channels": ["https://$WHO:${WORD}@h/x", "$MISSING/y"],
            "default_channels": ["$WHO"], "channel_alias": "https://$WHO.org",
            "custom_channels": {"c": "https://$WHO"},
            "custom_multichannels": {"m": ["$WHO", "n"]},
            "envs_dirs": ["/$WHO/envs"],
            "plugins": {"s3_sync_path_filter": "a$WHO"},
        },
    }, {
        "channels": ["https://joe:x@h/x", "$MISSING/y"], "default_channels": ["joe"],
        "channel_alias": "https://joe.org", "custom_channels": {"c": "https://joe"},
        "custom_multichannels": {"m": ["joe", "n"]}, "envs_dirs": ["/joe/envs"],
        "plugins.s3_sync_path_filter": "a$WHO",
    }, {"WHO": "joe", "WORD": "x"}),
    "mappings-key-by-key": Case({
        "BASE/.condarc": {
            "custom_channels": {"a": "https://weak", "b": "https://b"},
            "custom_multichannels": {"m": ["x", "y"], "n": ["z"]},
        },
        "HOME/.condarc": {
            "custom_channels": {"a": "https://strong"},
            "custom_multichannels": {"m": ["w"]},
        },
    }, {
        "custom_channels": {"a": "https://strong", "b": "https://b"},
        "custom_multichannels": {"m": ["w", "x", "y"], "n": ["z"]},
    }),
    "other-names": Case(
        {"HOME/.condarc": {"channel": ["c"], "envs_path": ["/e"]}},
        {"channels": ["b", "c"], "envs_dirs": ["/d", "/e"]},
        {"CONDA_CHANNEL": "b", "CONDA_ENVS_PATH": "/d"},
    ),
    "folders-are-separated-as-paths-are": Case(
        {"HOME/.condarc": {"envs_dirs": ["/c"]}}, {"envs_dirs": ["/a,b", "/c"]},
        {"CONDA_ENVS_DIRS": f"/a,b{os.pathsep}/c{os.pathsep}"},
    ),
    "null-is-nothing": Case({
        "BASE/.condarc": {"channels": ["a"], "custom_channels": {"c": "https://c"}},
        "HOME/.condarc": "channels:\n",
    }, {"channels": ["a"], "custom_channels": {"c": "https://c"}}),
    "an-empty-file": Case({
        "HOME/.condarc": "# nothing\n", "BASE/.condarc": {"channels": ["a"]},
    }, {"channels": ["a"]}),
    "words-for-true": Case({
        "HOME/.condarc": "offline: on\nplugins: {s3_sync_prune: n}\n",
    }, {"offline": True, "plugins.s3_sync_prune": False}),
}
# fmt: on


@pytest.fixture
def here(tmp_path: Path) -> Machine:
    """A machine on which nothing is set."""
    machine = Machine(tmp_path / "here")
    for name in ("CONDA_CHANNELS", "CONDA_ENVS_DIRS"):
        del machine.environment[name]
    return machine


def prepare(machine: Machine, case: Case) -> None:
    def place(text: str) -> str:
        return text.replace("HOME", str(machine.home)).replace(
            "BASE", str(machine.base)
        )

    for name, content in case.files.items():
        path = machine.root / place(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        # JSON is YAML.
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    for name, text in case.variables.items():
        machine.environment[name] = place(text)


def load(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Condarc:
    machine.enter(monkeypatch)
    return Condarc.load(machine.base)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_settings_are_put_together(
    case: Case, here: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(here, case)
    condarc = load(here, monkeypatch)
    assert {name: READ[name](condarc, name) for name in case.answers} == case.answers


@pytest.mark.conda
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_conda_answers_the_same(case: Case, here: Machine) -> None:
    prepare(here, case)
    assert ask_conda(here, *case.answers, as_set=True) == case.answers


@pytest.mark.conda
def test_two_things_differ_from_conda_on_purpose(
    here: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here.base / ".condarc").write_text("subdir: weak #!final\n")
    (here.home / ".condarc").write_text("subdir: strong\n")
    assert ask_conda(here, "subdir", as_set=True) == {"subdir": "weak"}
    assert load(here, monkeypatch).text("subdir") == "strong"
    (here.home / ".condarc").write_text("subdir: 'strong")
    assert ask_conda(here, "subdir", as_set=True) == {"subdir": "weak"}
    with pytest.raises(UsageError, match="cannot be read"):
        load(here, monkeypatch)
