"""What the documentation tells people to type, and what it says that this shows."""

from __future__ import annotations

import io
import re
import shlex
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from docutils import nodes
from docutils.core import publish_doctree
from make_channel import this_subdir
from shell import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from machine import Machine
    from s3server import S3Server

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path
    for path in (ROOT / "README.rst", *sorted((ROOT / "docs").glob("*.rst")))
}
BUCKET = "my-bucket"

#: What the pages call the S3 server that is not Amazon's.
ENDPOINT = "https://s3.example.org"

#: A person's prompt; without a name, all of them type it.
PROMPT = re.compile(r"([a-z]*)\$ (.*)")

#: What a version is called, or what its keys begin with.
VERSION = re.compile(
    r"\b(?:\d{8}T\d{6}\.\d{6}Z-)?[0-9a-f]{12}\b|\b(?=[a-f]*\d)[0-9a-f]{8}\b"
)

#: What differs from run to run, and what stands for it.
VARYING = (
    (VERSION, "VERSION"),
    (
        re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d( +\d+|\.\d+\+00:00))?"),
        "TIME",
    ),
    (re.compile(r"\b(just now|\d+ (minute|hour|day)s? ago)"), "AGE"),
    (re.compile(r"\b(anna|ben|desk|laptop)-[a-z]+\b"), "HOST"),
    (re.compile(r" at http://127\.0\.0\.1:\d+"), ""),
    (re.compile(r"[ \n]*\n"), "\n"),
    (re.compile(r" +"), " "),
)


@dataclass(frozen=True)
class Block:
    """A literal block: what it is written in, if that is said, and what it says."""

    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """What somebody types, and what that shows; empty: nothing of interest."""

    who: str
    text: str
    shown: str = ""


def read_page(page: str) -> tuple[nodes.document, str]:
    """Return a page as docutils reads it, and what that has to say about it."""
    warnings = io.StringIO()
    settings = {
        "warning_stream": warnings,
        "report_level": 1,
        "syntax_highlight": "none",
    }
    text = PAGES[page].read_text("utf-8")
    tree = publish_doctree(text, source_path=page, settings_overrides=settings)
    return tree, warnings.getvalue()


def blocks(page: str) -> Iterator[Block]:
    """Yield the literal blocks of a page."""
    tree, _ = read_page(page)
    for node in tree.findall(nodes.literal_block):
        *_, language = ["", *(word for word in node["classes"] if word != "code")]
        yield Block(language, node.astext())


def commands(page: str) -> list[Command]:
    """Return the commands of a page in their order, those of CI pipelines as well."""
    found: list[Command] = []
    for block in blocks(page):
        if block.language == "yaml":
            lines = _steps(yaml.safe_load(block.text))
            found += [Command("", line) for line in lines]
        elif block.language == "docker":
            found += [Command("", line) for line in _instructions(block.text)]
        elif not block.language:
            found += _typed(block.text)
    return found


def _typed(text: str) -> list[Command]:
    found: list[Command] = []
    for line in text.splitlines():
        if match := PROMPT.fullmatch(line):
            found.append(Command(match[1], match[2]))
        elif found:
            found[-1] = replace(found[-1], shown=f"{found[-1].shown}{line}\n")
    return found


def _steps(document: Any) -> Iterator[str]:
    """Yield what a pipeline runs, line by line."""
    if isinstance(document, list):
        for item in document:
            yield from _steps(item)
    elif isinstance(document, dict):
        yield from document.get("run", "").splitlines()
        yield from _steps([*document.values()])


def _instructions(text: str) -> Iterator[str]:
    """Yield what an image runs while it is built, without what it mounts for that."""
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("RUN "):
            yield re.sub(r"--mount=\S+", "", line.removeprefix("RUN ")).strip()


def plain(text: str) -> str:
    """Return a text in which all that varies is gone."""
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return text.strip()


class Story:
    """A page, played on machines: each command sees what those before it have left."""

    def __init__(self, machines: Mapping[str, Machine], s3: S3Server) -> None:
        self._machines, self._s3 = machines, s3
        self._known: dict[str, str] = {}  # a version on the page -> in this run

    def play(self, command: Command) -> None:
        """Run a command, and compare what it shows."""
        for machine in self._who(command):
            text = VERSION.sub(
                lambda match: self._known.get(match[0], match[0]), command.text
            ).replace(ENDPOINT, self._s3.endpoint)
            words = shlex.split(text, comments=True)
            said = run(machine, words, self._s3.client, must_work=not command.shown)
            if said is None or not command.shown:
                continue
            shown, said = command.shown, self._as_on_page(machine, said)
            if words[:3] == ["aws", "s3", "ls"]:  # in the order of names that vary
                shown, said = map(_sorted, (shown, said))
            _compare(command.text, shown, said)
            versions = map(VERSION.findall, (shown, said))
            self._known |= dict(zip(*versions, strict="..." not in shown))

    def _who(self, command: Command) -> Iterable[Machine]:
        """Return whose command it is; without a name, everybody's."""
        assert self._machines, f"there is no scene for {command.text}"
        if command.who or command.who in self._machines:
            return [self._machines[command.who]]
        return self._machines.values()

    def _as_on_page(self, machine: Machine, said: str) -> str:
        if "AWS_ENDPOINT_URL_S3" not in machine.environment:
            said = said.replace(self._s3.endpoint, ENDPOINT)
        for name, word in {
            # A page has one of the two commands, and a lane one kind of machines.
            "conda-s3-sync": "conda s3-sync",
            socket.gethostname(): "anna-laptop",
            this_subdir(): "linux-64",
            machine.environment["CONDA_CHANNELS"]: "conda-forge",
        }.items():
            said = said.replace(name, word)
        return said


def _sorted(text: str) -> str:
    return "".join(sorted(text.splitlines(keepends=True), key=plain))


def _compare(command: str, shown: str, said: str) -> None:
    """See that a page shows what is said; a line of dots is any number of lines."""
    shown, said = plain(shown.replace("conda-s3-sync", "conda s3-sync")), plain(said)
    pattern = re.escape(f"{shown}\n").replace(re.escape("...\n"), "(.*\n)*?")
    assert re.fullmatch(pattern, f"{said}\n"), f"{command}\n{said}\n--- not\n{shown}"
