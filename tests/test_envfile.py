"""Environment files: what they mean, and that what is written is read again."""

from __future__ import annotations

import string
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from conda_s3_sync_plugin import envfile
from conda_s3_sync_plugin.envfile import parse, render
from conda_s3_sync_plugin.exceptions import EnvFileError

if TYPE_CHECKING:
    from types import ModuleType

WRITTEN = render(
    "ml",
    channels=["conda-forge", "defaults"],
    specs=["python=3.11.4=h1_0", "numpy=1.26.0=py311_0"],
    pip=["hello==1.0", "tool @ https://example.org/tool-1.zip"],
    variables={"MODE": "fast", "EMPTY": ""},
)

TEXT = b"""\
name: ml
channels:
  - conda-forge
  - defaults
dependencies:
  - numpy=1.26.0=py311_0
  - python=3.11.4=h1_0
  - pip:
    - hello==1.0
    - tool @ https://example.org/tool-1.zip
variables:
  EMPTY: ''
  MODE: fast
"""


def test_a_file_is_written_as_people_write_them() -> None:
    written = yaml.safe_load(WRITTEN.body)
    assert written == yaml.safe_load(TEXT)
    assert list(written) == ["name", "channels", "dependencies", "variables"]


def test_a_file_says_what_is_in_the_environment() -> None:
    assert WRITTEN.channels == ("conda-forge", "defaults")
    assert WRITTEN.specs == ("numpy=1.26.0=py311_0", "python=3.11.4=h1_0")
    assert WRITTEN.pip == ("hello==1.0", "tool @ https://example.org/tool-1.zip")
    assert WRITTEN.variables == {"MODE": "fast", "EMPTY": ""}
    assert parse(WRITTEN.body) == WRITTEN


@pytest.mark.parametrize(
    "value",
    ["a\nb", "a\r\nb", "\x85", "\u2028", "\ufeff", "\x1b[1m", " a ", "ä\n", "环境"],
)
def test_a_value_comes_back_sign_by_sign(value: str) -> None:
    file = render("ml", channels=[], specs=[], variables={"A": value})
    assert file.variables == {"A": value}
    assert yaml.safe_load(file.body)["variables"] == {"A": value}


def test_other_letters_are_written_as_they_are() -> None:
    file = render("环境", channels=[], specs=["ä"], variables={"A": "é"})
    assert file.body.decode() == (
        "name: 环境\nchannels: []\ndependencies:\n- ä\nvariables:\n  A: é\n"
    )


def test_what_is_not_there_is_not_written() -> None:
    file = render("empty", channels=[], specs=[])
    assert file.body == b"name: empty\nchannels: []\ndependencies: []\n"
    assert parse(b"dependencies:\nchannels: ~\nvariables: null\n").digest == file.digest


SAME = {
    "another name": TEXT.replace(b"name: ml", b"name: other"),
    "no name": TEXT.replace(b"name: ml\n", b""),
    "a prefix": TEXT + b"prefix: /home/joe/envs/ml\n",
    "a comment": b"# mine\n" + TEXT.replace(b"fast", b"fast  # as ever"),
    "an unknown section": TEXT + b"platforms: [linux-64]\n",
    "other quotes": TEXT.replace(b"hello==1.0", b'"hello==1.0"'),
    "other spaces": TEXT.replace(b"- hello==1.0", b"-  'hello==1.0 '"),
    "carriage returns": TEXT.replace(b"\n", b"\r\n"),
    "a byte order mark": b"\xef\xbb\xbf" + TEXT,
    "UTF-16": TEXT.decode().encode("utf-16"),
    "other order": TEXT.replace(
        b"  - numpy=1.26.0=py311_0\n  - python=3.11.4=h1_0\n",
        b"  - python=3.11.4=h1_0\n  - numpy=1.26.0=py311_0\n",
    ),
    "other order of variables": TEXT.replace(
        b"  EMPTY: ''\n  MODE: fast\n", b"  MODE: fast\n  EMPTY: ''\n"
    ),
    "other order of pip packages": TEXT.replace(
        b"    - hello==1.0\n    - tool @ https://example.org/tool-1.zip\n",
        b"    - tool @ https://example.org/tool-1.zip\n    - hello==1.0\n",
    ),
    "pip first": TEXT.replace(
        b"dependencies:\n", b"dependencies:\n  - pip: [hello==1.0]\n"
    ).replace(b"    - hello==1.0\n", b""),
    "aliases": TEXT.replace(b"  - conda-forge", b"  - &c conda-forge").replace(
        b"name: ml", b"name: &name ml"
    )
    + b"mine: [*c, *c, *name]\n",
    "JSON": b'{"channels": ["conda-forge", "defaults"], "variables": {"EMPTY": "", '
    b'"MODE": "fast"}, "dependencies": ["numpy=1.26.0=py311_0", "python=3.11.4=h1_0", '
    b'{"pip": ["hello==1.0", "tool @ https://example.org/tool-1.zip"]}]}',
}


@pytest.mark.parametrize("body", SAME.values(), ids=SAME)
def test_how_a_file_is_written_does_not_matter(body: bytes) -> None:
    assert parse(body).digest == WRITTEN.digest
    assert parse(body).body == body


OTHER = {
    "order of channels": TEXT.replace(
        b"  - conda-forge\n  - defaults\n", b"  - defaults\n  - conda-forge\n"
    ),
    "a channel": TEXT.replace(b"  - defaults\n", b""),
    "pins": TEXT + b"pinned: [numpy 1.*]\n",
    "a version": TEXT.replace(b"1.26.0", b"1.26.1"),
    "a build": TEXT.replace(b"h1_0", b"h1_1"),
    "a package more": TEXT.replace(b"dependencies:\n", b"dependencies:\n  - zlib\n"),
    "a pip package": TEXT.replace(b"hello==1.0", b"hello==1.1"),
    "no pip package": TEXT.replace(b"    - hello==1.0\n", b""),
    "pip's as conda's": TEXT.replace(
        b"  - pip:\n    - hello==1.0\n", b"  - hello==1.0\n  - pip:\n"
    ),
    "a value": TEXT.replace(b"fast", b"slow"),
    "a variable": TEXT.replace(b"MODE", b"MOOD"),
    "a variable less": TEXT.replace(b"  EMPTY: ''\n", b""),
}


@pytest.mark.parametrize("body", OTHER.values(), ids=OTHER)
def test_each_part_of_the_content_matters(body: bytes) -> None:
    assert body != TEXT
    assert parse(body).digest != WRITTEN.digest


def test_the_digest_is_the_same_in_all_releases() -> None:
    """All machines compare it: another one means that everything has changed."""
    digest = "f883e8edbb4f1e8b058c62b9ab1e251df749bb9d307b681b448c51463bdf43ad"
    assert WRITTEN.digest == digest


# What YAML makes numbers, dates or truth of: not always the ones that conda would.
WORDS = ["1", "1.10", "010", "1:30:00", "1e3", "0x1f", ".nan", "-.inf", "yes", "no"]
WORDS += ["true", "Off", "2026-01-01", "2026-99-99", "=", "<<", "1_000", "0b1", "1:1.5"]
WORDS += ["9" * 5000, "0x" + "f" * 5000, ":".join(["1"] * 500) + ".5"]


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word[:10])
def test_a_variable_is_the_text_that_was_written(word: str) -> None:
    body = f"dependencies: []\nvariables:\n  A: {word}\n".encode()
    assert parse(body).variables == {"A": word}
    file = render("ml", channels=[], specs=[], variables={"A": word})
    assert parse(file.body).variables == {"A": word}
    assert file.digest == parse(body).digest


@pytest.mark.parametrize("value", ["", "~", "null"], ids=["nothing", "~", "null"])
def test_quotes_make_text_of_nothing(value: str) -> None:
    file = parse(f"dependencies: []\nvariables: {{A: '{value}'}}".encode())
    assert file.variables == {"A": value}
    written = render("ml", channels=[], specs=[], variables={"A": value})
    assert written.digest == file.digest


@pytest.fixture
def plain_envfile(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module as it is where there is no libyaml."""
    monkeypatch.delattr(yaml, "CBaseLoader", raising=False)
    spec = find_spec("conda_s3_sync_plugin.envfile")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_both_loaders_of_yaml_read_the_same(plain_envfile: ModuleType) -> None:
    assert plain_envfile._Loader is not envfile._Loader
    assert plain_envfile._Loader.__mro__[1] is yaml.BaseLoader
    for body in [*SAME.values(), *OTHER.values()]:
        assert plain_envfile.parse(body) == parse(body)
    for word in [*WORDS, "''", "'~'"]:
        body = f"dependencies: \nvariables: {{A: {word}}}".encode()
        assert plain_envfile.parse(body) == parse(body)
    with pytest.raises(EnvFileError):
        plain_envfile.parse(b"dependencies: [~]")


def test_pins_are_read_squeezed_and_in_any_order_and_no_pins_are_nothing() -> None:
    pins = [b"- a  1.*\n- b\n", b"- b\n- a 1.*\n", b"  [b, a 1.*]"]
    files = [parse(TEXT + b"pinned:\n" + text) for text in pins]
    assert len({file.digest for file in files}) == 1
    assert files[1].pinned == ("b", "a 1.*")
    assert files[0].digest != WRITTEN.digest
    for nothing, found in ((b"", None), (b"pinned:\n", None), (b"pinned: []\n", ())):
        file = parse(TEXT + nothing)
        assert (file.digest, file.pinned) == (WRITTEN.digest, found)


# What may stand in a spec: whatever a terminal shows as it is.
PLAIN = st.characters(
    exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"]
)
SPECS = st.lists(st.text(PLAIN, min_size=1, max_size=20), max_size=5)
NAMES = st.text(string.ascii_letters + "_", min_size=1, max_size=8)
VALUES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30
)
PIP = st.from_regex(
    r"[a-z][a-z0-9]{0,8}(\[[a-z]{1,4}\])?(==[0-9]{1,3})?", fullmatch=True
)


@settings(deadline=None)
@given(
    channels=SPECS,
    specs=SPECS,
    pip=st.lists(PIP, max_size=4),
    variables=st.dictionaries(NAMES, VALUES, max_size=4),
)
def test_what_is_written_is_read_again(
    channels: list[str],
    specs: list[str],
    pip: list[str],
    variables: dict[str, str],
) -> None:
    file = render("ml", channels=channels, specs=specs, pip=pip, variables=variables)
    assert file.channels == tuple(channels)
    assert file.specs == tuple(sorted(specs))
    assert file.pip == tuple(sorted(pip))
    assert file.variables == variables
    again = render(
        "other",
        channels=channels,
        specs=specs[::-1],
        pip=pip[::-1],
        variables=dict(reversed(variables.items())),
    )
    assert again.digest == file.digest
