"""What the documentation states is so: its tables, its examples, and its links."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from docutils import nodes
from plan_cases import ROWS
from request_counts import COSTS
from stories import PAGES, blocks, commands, read_page

from conda_s3_sync_plugin.__main__ import _parser
from conda_s3_sync_plugin.cli import EPILOG
from conda_s3_sync_plugin.condarc import Condarc
from conda_s3_sync_plugin.envfile import render
from conda_s3_sync_plugin.location import KINDS, Location
from conda_s3_sync_plugin.lockfile import render_lock
from conda_s3_sync_plugin.models import Document, Lock
from conda_s3_sync_plugin.settings import SETTINGS
from conda_s3_sync_plugin.store import S3Store
from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from machine import Machine
    from s3server import S3Server

#: What the table of decisions says in other words than that of the tests.
WORDS = {
    "changed, equal": "changed+equal",
    "conflict": "newest",
    "delete-local": "if-stated",
}


def tables(page: str) -> list[list[list[str]]]:
    """Return the tables of a page, as lists of rows, without their headings."""
    tree, _ = read_page(page)
    return [
        [
            [cell.astext().strip() for cell in row.findall(nodes.entry)]
            for body in table.findall(nodes.tbody)
            for row in body.findall(nodes.row)
        ]
        for table in tree.findall(nodes.table)
    ]


def examples(language: str) -> list[Any]:
    """Return all blocks in a language, with the page each is on."""
    return [
        pytest.param(block.text, id=f"{page}-{number}")
        for page in PAGES
        for number, block in enumerate(blocks(page))
        if block.language == language
    ]


@pytest.mark.parametrize("page", PAGES)
def test_docutils_has_nothing_to_say_about_a_page(page: str) -> None:
    _, warnings = read_page(page)
    assert warnings == ""


@pytest.mark.parametrize("page", PAGES)
def test_a_block_is_in_a_language_that_some_test_reads(page: str) -> None:
    for block in blocks(page):
        assert block.language in ("", "yaml", "json", "ini", "docker")
        for line in block.text.splitlines():  # commands have a prompt
            assert not line.startswith(("conda ", "conda-s3-sync ", "pip ", "aws "))


def test_a_link_leads_to_a_page_and_to_a_section_that_it_has() -> None:
    trees = {PAGES[page]: read_page(page)[0] for page in PAGES}
    for path, tree in trees.items():
        for link in tree.findall(nodes.reference):
            place, _, anchor = link.get("refuri", "").partition("#")
            if not place or "://" in place:
                continue
            target = (path.parent / place).resolve()
            assert target.exists(), f"{path.name}: {place}"
            assert not anchor or anchor in trees[target].ids, f"{path.name}: {anchor}"


@pytest.mark.parametrize("index", ["README.rst", "docs/index.rst"])
def test_every_page_can_be_found(index: str) -> None:
    tree, _ = read_page(index)
    folder = PAGES[index].parent
    linked = {
        (folder / link["refuri"].partition("#")[0]).resolve()
        for link in tree.findall(nodes.reference)
        if "refuri" in link
    }
    hidden = {PAGES["README.rst"], PAGES["docs/index.rst"]}
    assert set(PAGES.values()) - hidden <= linked


def test_what_to_try_first_is_two_commands_on_the_first_screen() -> None:
    first, second, *_ = commands("README.rst")
    assert [text.partition("#")[0].strip() for text in (first.text, second.text)] == [
        "make demo",
        "make test",
    ]
    screen = PAGES["README.rst"].read_text().splitlines()[:24]
    assert sum("$ make " in line for line in screen) == 2


def test_the_tests_that_are_named_are_there() -> None:
    named = {
        name
        for table in tables("docs/threats.rst")
        for *_, tests in table
        for name in tests.split(", ")
        if name != "none"
    }
    here = {path.stem for path in Path(__file__).parent.glob("test_*.py")}
    assert len(named) > 20
    assert named <= here


def test_the_settings_are_those_that_there_are() -> None:
    settings, *_ = tables("docs/settings.rst")
    told = {name: default for name, default, *_ in settings}
    known = {name: default for name, default, *_ in SETTINGS}
    for name, default in known.items():
        text = str(default).lower() if isinstance(default, bool) else str(default)
        assert told.pop(name) == text, name
    assert told == {}


def test_the_flags_are_those_that_there_are() -> None:
    settings, flags, *_ = tables("docs/settings.rst")
    cells = [row[2] for row in settings] + [row[0] for row in flags]
    told = [flag for cell in cells for flag in cell.replace("\n", " ").split(", ")]
    known = {"BUCKET[/PATH]", ""}
    for action in _parser()._actions:
        known.update(action.option_strings)
    assert set(told) == known


def test_the_actions_are_those_that_there_are() -> None:
    *_, actions = tables("docs/settings.rst")
    assert sorted(action for action, _ in actions) == sorted(map(str, Action))


def test_the_exit_codes_are_those_that_help_tells() -> None:
    _, _, codes, _ = tables("docs/settings.rst")
    told = " ".join(EPILOG.split())
    for code, meaning in codes:
        assert f"{code} {' '.join(meaning.split())}" in told


def test_the_table_of_decisions_is_the_one_that_is_tested() -> None:
    (table,) = tables("docs/decisions.rst")
    assert [[WORDS.get(cell, cell) for cell in row] for row in table] == ROWS


def test_the_requests_are_those_that_are_counted() -> None:
    *_, requests = tables("docs/benchmarks.rst")

    def told(counts: Mapping[str, int]) -> str:
        return ", ".join(f"{count} {verb}" for verb, count in counts.items()) or "none"

    assert requests == [
        [what.replace("`", ""), told(cost.run), told(cost.each)]
        for what, cost in COSTS.items()
    ]


@pytest.mark.parametrize("text", examples("json"))
def test_json_is_json(text: str) -> None:
    assert json.loads(text)


def settings_in(text: str) -> dict[str, Any]:
    return (yaml.safe_load(text) or {}).get("plugins", {})


CONDARCS = [case for case in examples("yaml") if settings_in(case.values[0])]


@pytest.mark.parametrize("text", CONDARCS)
def test_a_condarc_sets_what_it_shows(
    text: str, machine: Callable[..., Machine]
) -> None:
    mine = machine("mine")
    (mine.home / ".condarc").write_text(text)
    told = settings_in(text)
    assert told.keys() <= {setting.name for setting in SETTINGS}
    if mine.kind == "conda":
        said = mine.conda("config", "--show", "--json").stdout
        read = json.loads(said)["plugins"]
    else:
        condarc = Condarc({"here": yaml.safe_load(text)})
        read = {name: condarc.text(f"plugins.{name}") for name in told}
    assert {name: str(read[name]) for name in told} == {
        name: str(value) for name, value in told.items()
    }


def test_a_lock_has_the_keys_that_are_shown() -> None:
    (text,) = (block.text for block in blocks("docs/format.rst") if block.language)
    told = json.loads(text)
    lock = json.loads(render_lock(Lock("", "", (), (), (), {})))
    assert told.keys() == lock.keys()
    assert told["format"] == lock["format"]


def test_the_kinds_of_versions_are_those_that_there_are() -> None:
    endings = {ending for ending, _ in tables("docs/format.rst")[1]}
    assert endings == set(KINDS.values())


def test_the_metadata_are_those_that_are_written(s3: S3Server, bucket: str) -> None:
    file = render("ml", channels=["c"], specs=["lib"])
    store = S3Store(Location(bucket), endpoint_url=s3.endpoint, pushed_by="me")
    now = datetime.now(timezone.utc)
    store.put("ml", Document(file.body, file.digest, now, "linux-64"), replaces=None)
    written = s3.client.head_object(Bucket=bucket, Key="ml.yml")["Metadata"]
    assert {key for key, _ in tables("docs/format.rst")[0]} == written.keys()
