"""Environment files that nobody should have written: refused, and nothing worse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conda_s3_sync_plugin.envfile import parse
from conda_s3_sync_plugin.exceptions import EnvFileError

if TYPE_CHECKING:
    from pathlib import Path

USUAL = b"dependencies: [numpy]\n"

BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (name, name, b",".join([b"*%c" % (name - 1)] * 9))
    for name in b"bcdefghij"
)
MERGE_BOMB = b"a: &a {x: 1}\n" + b"".join(
    b"%c: &%c {<<: [%s]}\n" % (name, name, b",".join([b"*%c" % (name - 1)] * 9))
    for name in b"bcdefghij"
)

NO_YAML = {
    "binary": bytes(range(256)),
    "half of a UTF-16 character": b"\xff\xfe\x00\xd8",
    "bad UTF-8": b"dependencies: [\xff\xfe]",
    "a NUL": b"dependencies: [a\0b]",
    "an escape sequence": b"dependencies: [a\x1b[2J]",
    "an open list": b"dependencies: [a",
    "an open string": b"dependencies: ['a",
    "tabs": b"dependencies:\n\t- a",
    "two documents": USUAL + b"---\n" + USUAL,
    "a key twice": USUAL + USUAL,
    "a variable twice": USUAL + b"variables: {A: 1, A: 2}\n",
    "a list for a key": USUAL + b"? [a, b]\n: c\n",
    "a mapping for a key": USUAL + b"? {a: b}\n: c\n",
    "an unknown anchor": b"dependencies: [*a]",
}

REFUSED = {
    "nothing": b"",
    "a comment": b"# nothing",
    "text": b"numpy",
    "a number": b"1",
    "a list": b"[numpy]",
    "no dependencies": b"name: ml\nchannels: [defaults]\n",
    "a lock": b'{"format": 1, "packages": []}',
    "a bomb": BOMB + USUAL,
    "a bomb of merges": MERGE_BOMB + USUAL,
    "aliases in aliases": b"a: &a0 [x]\n"
    + b"".join(b"a%d: &a%d [*a%d]\n" % (n, n, n - 1) for n in range(1, 20))
    + USUAL,
    "one list very often": b"a: &a [" + b"x," * 1000 + b"]\n"
    b"dependencies: [" + b"{pip: *a}," * 101 + b"]\n",
    "a structure that holds itself": b"dependencies: &a [*a]",
    "deep lists": b"dependencies: " + b"[" * 100_000,
    "deep mappings": b"{a: " * 100_000,
    "deep blocks": b"dependencies:\n - " + b"- " * 100_000 + b"a",
    "dependencies: text": b"dependencies: numpy",
    "dependencies: mapping": b"dependencies: {numpy: 1}",
    "dependencies: nothing in a list": b"dependencies: [~]",
    "dependencies: empty text": b"dependencies: ['']",
    "dependencies: a space": b"dependencies: [' ']",
    "dependencies: list in a list": b"dependencies: [[numpy]]",
    "dependencies: two lines": b'dependencies: ["numpy\\nscipy"]',
    "dependencies: a control character": b'dependencies: ["numpy\\u001b[2J"]',
    "dependencies: text that turns round": b'dependencies: ["numpy\\u202eyzpmun"]',
    "dependencies: npm's": b"dependencies: [{npm: [left-pad]}]",
    "dependencies: pip's and more": b"dependencies: [{pip: [a], npm: [b]}]",
    "pip: text": b"dependencies: [{pip: hello}]",
    "pip: mapping": b"dependencies: [{pip: [{hello: 1}]}]",
    "channels: text": USUAL + b"channels: defaults",
    "channels: mapping": USUAL + b"channels: [{defaults: 1}]",
    "channels: two lines": USUAL + b'channels: ["a\\nb"]',
    "pins: text": USUAL + b"pinned: numpy",
    "pins: mapping": USUAL + b"pinned: [{numpy: 1}]",
    "pins: two lines": USUAL + b'pinned: ["a\\nb"]',
    "pins: a comment": USUAL + b"pinned: ['# all']",
    "variables: text": USUAL + b"variables: A=1",
    "variables: list": USUAL + b"variables: [A]",
    "variables: nothing": USUAL + b"variables: {A: ~}",
    "variables: list of one": USUAL + b"variables: {A: [1]}",
    "variables: no name": USUAL + b"variables: {'': x}",
    "variables: an unnamed one": USUAL + b"variables: {~: x}",
    "variables: name with shell code": USUAL + b'variables: {"A;rm -rf ~;B": x}',
    "variables: name with a digit": USUAL + b"variables: {1A: x}",
    "variables: name with a line break": USUAL + b'variables: {"A\\n": x}',
    "variables: name in other letters": USUAL + "variables: {Ä: x}".encode(),
    "variables: a name without end": USUAL + b"variables: {? " + b"A" * 256 + b": x}",
    "dependencies: without end": b"dependencies: [" + b"a" * 4097 + b"]",
    "channels: without end": USUAL + b"channels: [" + b"a" * 4097 + b"]",
    "pip: without end": b"dependencies: [{pip: ['a" + b" " * 10**6 + b"; /']}]",
    "variables: a NUL": USUAL + b'variables: {A: "x\\0y"}',
}


@pytest.mark.parametrize("body", NO_YAML.values(), ids=NO_YAML)
def test_what_is_no_yaml_is_refused(body: bytes) -> None:
    with pytest.raises(EnvFileError, match="YAML"):
        parse(body)


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_what_is_no_environment_is_refused(body: bytes) -> None:
    with pytest.raises(EnvFileError) as caught:
        parse(body)
    assert len(caught.value.summary) < 200
    assert caught.value.summary.isprintable()


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.mkdir",
        "!!python/object/new:os.mkdir",
        "!!python/name:os.mkdir",
        "!!python/module:os",
        "!!set",
        "!!omap",
        "!!binary",
        "!!int",
        "!!float",
        "!!bool",
        "!!timestamp",
        "!mine",
    ],
)
@pytest.mark.parametrize("value", ["[{0}]", "'{0}'", "{{a: '{0}'}}", "''"])
def test_nothing_is_made_of_tags(tag: str, value: str, tmp_path: Path) -> None:
    value = value.format(tmp_path / "made")
    bodies = [
        f"{tag} {value}",
        f"dependencies: {tag} {value}",
        f"dependencies: [{tag} {value}]",
        f"dependencies: []\nname: {tag} {value}",
        f"dependencies: []\nvariables: {{A: {tag} {value}}}",
        f"dependencies: []\nvariables: {tag} {value}",
    ]
    for body in bodies:
        try:
            file = parse(body.encode())
        except EnvFileError:
            continue
        assert all(type(text) is str for text in file.specs)
        assert all(type(text) is str for text in file.variables.values())
    assert list(tmp_path.iterdir()) == []


PIP_REFUSED = [
    "-e .",
    "-e git+https://example.org/x",
    "--index-url=https://example.org",
    "hello --index-url https://example.org",
    "hello==1.0 --config-settings=x=y",
    "-r requirements.txt",
    "-rrequirements.txt",
    ".",
    "..",
    "./hello",
    " ./hello",
    "../hello",
    "/srv/hello",
    "~/hello",
    "~root/hello",
    "hello/world",
    "hello/../../world",
    "hello[extra]/world",
    r"C:\hello",
    r"hello\world",
    r"\\server\share",
    "hello.whl",
    "hello-1.0-py3-none-any.whl",
    "hello-1.0-py3-none-any.whl[extra]",
    "hello-1.0.tar.gz ; python_version > '3'",
    "hello.zip",
    "hello.tgz",
    "file:hello",
    "file:///srv/hello",
    "FILE:///srv/hello",
    "git+file:///srv/hello",
    "hello @ file:///srv/hello",
    "hello@file:///srv/hello",
    "hello @ git+file:///srv/hello",
    "https ://example.org/hello.zip",
    "https:// /srv/hello",
    "https://example.org/hello.zip /srv/hello",
    "https://example.org/hello.zip ; /srv/hello",
    "https://example.org/hello.zip; ../hello",
    "hello @ ./hello",
    "hello @ ../hello",
    "hello @ /srv/hello",
    "hello[a,b] @ ./hello",
    "https://${SECRET}@example.org/hello.zip",
    "hello==${SECRET}",
    "./x @ https://example.org/hello.zip",
]


@pytest.mark.parametrize("requirement", PIP_REFUSED)
def test_pip_gets_no_options_and_nothing_local(requirement: str) -> None:
    body = yaml.safe_dump({"dependencies": [{"pip": ["fine", requirement]}]})
    with pytest.raises(EnvFileError, match="pip"):
        parse(body.encode())


PIP_TAKEN = [
    "hello",
    "Hello_World.x",
    "hello==1.0",
    "hello >=1.0, <2.0, !=1.5",
    "hello~=1.0",
    "hello[a,b]==1.0",
    "hello==1.0+local.1",
    "hello==2!1.0.*",
    "hello; python_version < '3.12' and sys_platform == 'linux'",
    "hello-world==1.0",
    "zip-files==1.0",
    "hello @ https://example.org/hello-1.0-py3-none-any.whl",
    "hello @ https://example.org/hello.zip#sha256=0123&subdirectory=a/b",
    "hello[a] @ https://example.org/hello.zip ; python_version > '3'",
    "hello@https://example.org/hello.zip",
    "https://example.org/hello.zip; python_version > '3'",
    "hello @ git+https://example.org/hello.git@main",
    "hello @ git+ssh://git@example.org/hello.git@0123456#egg=hello",
    "git+https://example.org/hello.git",
    "https://example.org/hello.zip",
    "http://example.org/hello.zip",
]


@pytest.mark.parametrize("requirement", PIP_TAKEN)
def test_pip_gets_what_comes_from_elsewhere(requirement: str) -> None:
    body = yaml.safe_dump({"dependencies": [{"pip": [requirement]}]})
    assert parse(body.encode()).pip == (requirement,)


@pytest.mark.parametrize("requirement", PIP_REFUSED)
def test_pip_gets_all_that_where_that_is_allowed(requirement: str) -> None:
    body = yaml.safe_dump({"dependencies": [{"pip": ["fine", requirement]}]})
    assert parse(body.encode(), pip_options=True).pip == ("fine", requirement)


def test_what_is_refused_is_shown_without_a_login() -> None:
    body = b"dependencies: [{pip: [--index-url https://joe:s3cret@example.org]}]"
    with pytest.raises(EnvFileError) as caught:
        parse(body)
    assert "s3cret" not in str(caught.value)
    assert "s3_sync_pip_options" in caught.value.hint


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.datetimes()
    | st.binary(max_size=8)
    | st.text(max_size=8)
    | st.sampled_from(["numpy", "pip", "-e .", "A", "*a", "<<", "!!int ''"])
)
SECTIONS = st.sampled_from(
    ["name", "channels", "dependencies", "variables", "pip", "A"]
)
KEYS = SECTIONS | st.text(max_size=4) | st.integers() | st.none()
TREES = st.recursive(
    SCALARS,
    lambda trees: (
        st.lists(trees, max_size=4) | st.dictionaries(KEYS, trees, max_size=4)
    ),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(SECTIONS, TREES, max_size=4).map(
    lambda tree: {"dependencies": [], **tree}
)


def refusal(body: bytes) -> str:
    """Return why a document is refused; empty: it is not."""
    try:
        parse(body)
    except EnvFileError as error:
        return error.summary
    return ""


@settings(deadline=None)
@given(body=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
@example(b"dependencies: []\nvariables: {A: !!bool x, B: !!int '', C: !!timestamp x}")
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    for start in (b"", b"dependencies: ", b"dependencies: []\nvariables: "):
        assert refusal(start + body).isprintable()


@settings(deadline=None)
@given(tree=DOCUMENTS | TREES, width=st.sampled_from([2, 80]), flow=st.booleans())
def test_no_structure_raises_anything_else(
    tree: object, width: int, flow: bool
) -> None:
    body = yaml.safe_dump(tree, width=width, default_flow_style=flow).encode()
    why = refusal(body)
    assert why.isprintable()
    if not why:
        file = parse(body)
        assert isinstance(tree, dict)
        assert all(text.isprintable() for text in (*file.specs, *file.pip))
