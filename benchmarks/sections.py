"""What is measured: a function for each section, which takes the lab."""

from __future__ import annotations

import json
import shutil
from functools import partial
from typing import TYPE_CHECKING

from lab import OURS, Lab, fill, python, rotated  # isort: skip

from conda_here import HAS_CLASSIC, solver
from hand_made import add_record, make_prefix
from memory import peak
from seed import Seed, install_seed
from startup import startup

if TYPE_CHECKING:
    from pathlib import Path

    from lab import Action
    from machine import Machine

#: One request, by nothing but boto3.
LIST = """
import sys, boto3
boto3.client("s3").list_objects_v2(Bucket=sys.argv[1], Prefix="", Delimiter="/")
"""

#: All records of the environments in a folder, as an export reads them.
READ = """
import sys
from pathlib import Path
from conda_s3_sync_plugin.engines.prefix import records
for prefix in Path(sys.argv[1]).iterdir():
    records(prefix)
"""

#: What is in one environment, into another one, by nothing but py-rattler.
INSTALL = """
import asyncio, sys
from pathlib import Path
import rattler
paths = Path(sys.argv[1], "conda-meta").glob("*.json")
records = [rattler.PrefixRecord.from_path(path) for path in paths]
asyncio.run(rattler.install(records, sys.argv[2], show_progress=False))
"""

#: Where the time of a run goes: CPU of each part, in milliseconds, as JSON.
PARTS = """
import json, sys, time
spent, done = {}, 0.0
def lap(name):
    global done
    spent[name] = (time.process_time() - done) * 1000
    done = time.process_time()
def measured(name, function):
    def run(*args, **options):
        start = time.thread_time()
        try:
            return function(*args, **options)
        finally:
            spent[name] = spent.get(name, 0) + (time.thread_time() - start) * 1000
    return run
lap("python")
from conda_s3_sync_plugin import __main__, cli
execute = cli.execute
def in_parts(*args):
    lap("conda")
    from conda_s3_sync_plugin import bucket, commands, options, report
    from conda_s3_sync_plugin.engines import abstract, prefix
    lap("our modules")
    import boto3, botocore.session
    lap("boto3")
    bucket.connect = measured("S3 client", bucket.connect)
    listing = bucket.Bucket.list
    bucket.Bucket.list = lambda *args: iter(request(listing, *args))
    prefix.look = measured("stamps", prefix.look)
    code = execute(*args)
    lap("the rest")
    spent["request"] -= spent["S3 client"]
    for name in ("S3 client", "request", "stamps"):
        spent["the rest"] -= spent[name]
    print(json.dumps(spent), file=sys.stderr)
    return code
request = measured("request", lambda listing, *args: list(listing(*args)))
cli.execute = in_parts
__main__.run()
"""


def original(lab: Lab) -> None:
    """Do the same as the original: same environments, same server."""
    executable = install_seed(lab.folder / "seed")
    templates = lab.environment(20), lab.environment(21)
    rounds = [
        (number, delay, turn)
        # The original needs minutes for many; what takes so long varies little.
        for number, runs in ((1, lab.runs), (10, 2), (50, 1))
        for delay in (0, 30)
        for turn in range(runs if number <= lab.most else 0)
    ]
    for number, delay, turn in rounds:
        for name in rotated([*OURS, "original"], turn):
            lab.delay(delay)
            a, b = (lab.machine(each, OURS.get(name, "conda")) for each in "ab")
            fill(a, templates[0], number)
            syncs = [a.sync, b.sync]
            if name not in OURS:
                syncs = [Seed(machine, executable).sync for machine in (a, b)]
            _live(lab, f"{number} {delay}", name, a, templates[1], syncs)


def _live(
    lab: Lab, row: str, name: str, a: Machine, other: Path, syncs: list[Action]
) -> None:
    """Push, do nothing, push a change, and pull onto an empty machine."""
    bucket = f"{lab.server.new_bucket()}/team"  # the original needs a path
    push, pull = (partial(sync, bucket) for sync in syncs)

    def watch(what: str, action: Action) -> None:
        timed = partial(lab.watch, "original", f"{what} {row}", name, action)
        lab.note("requests", f"{what} {row}", name, lab.count(timed))

    watch("first push", push)
    watch("nothing to do", push)
    shutil.rmtree(a.prefix("env-0000"))
    fill(a, other, 1)
    a.history("env-0000").touch()
    watch("push of a change", push)
    watch("pull", pull)


def floor(lab: Lab) -> None:
    """Do nothing, beside what it takes to start conda, and to ask S3 once."""
    template, bucket = lab.environment(20), lab.server.new_bucket()
    info = lab.machine("other", "conda")
    actions: dict[str, Action] = {
        "conda info": partial(info.run, python(info), "-m", "conda", "info"),
        "boto3 alone": partial(info.run, python(info), "-c", LIST, bucket),
    }
    for name, kind in OURS.items():
        machine = lab.machine(kind, kind)
        fill(machine, template, 50)
        machine.sync(bucket)
        actions[name] = partial(machine.sync, bucket)
        for _ in range(lab.runs):
            words = machine.run(python(machine), "-c", PARTS, bucket).stderr
            for part, milliseconds in json.loads(words.splitlines()[-1]).items():
                lab.note("parts", name, part, milliseconds)
    for delay in (0, 30):
        lab.delay(delay)
        lab.in_turn("floor", f"{delay} ms", actions)


def scale(lab: Lab) -> None:
    """Have nothing to do, of 50 and of 1,000 environments: time, requests, memory.

    Base is one of them, as conda counts, and takes no part.
    """
    template = lab.environment(20)
    modules = {"conda": ("conda", "s3-sync"), "standalone": ("conda_s3_sync_plugin",)}
    actions: dict[str, Action] = {}
    for number in (50, 1000):
        for name, kind in OURS.items():
            machine = lab.machine(f"{kind}-{number}", kind)
            sync = partial(machine.sync, lab.server.new_bucket())
            fill(machine, template, number - 1)
            column = f"{name} {number}"
            lab.watch("scale", "first push", column, sync)
            lab.note("scale", "requests", column, lab.count(sync))
            actions[column] = sync
            for _ in range(lab.runs):
                memory = peak(machine, *modules[kind], *sync.args)
                lab.note("scale", "MiB", column, memory)
    for _ in range(lab.runs):
        info = peak(lab.machine("other", "conda"), "conda", "info")
        lab.note("scale", "MiB", "conda info", info)
    lab.in_turn("scale", "nothing to do", actions)


def big(lab: Lab) -> None:
    """Push 50 environments of 400 packages, whose records are as long as real ones."""
    template = make_prefix(lab.folder / "big")
    for index in range(400):
        name = f"syn{index:03d}"
        files = [f"lib/python3.11/site-packages/{name}/{n}.py" for n in range(250)]
        paths = [
            {"_path": file, "path_type": "hardlink", "sha256": f"{n:064x}"}
            | {"sha256_in_prefix": f"{n:064x}", "size_in_bytes": n}
            for n, file in enumerate(files)
        ]
        data = {"paths_version": 1, "paths": paths}
        add_record(template, name, files=files, paths_data=data)
    for _ in range(max(1, lab.runs // 2)):
        for name, kind in OURS.items():
            machine = lab.machine("a", kind)
            sync = partial(machine.sync, lab.server.new_bucket())
            fill(machine, template, 50)
            read = partial(machine.run, python(machine), "-c", READ, machine.envs)
            lab.watch("big", "reading", name, read)
            lab.watch("big", "first push", name, sync)
            lab.watch("big", "nothing to do", name, sync)


def restore(lab: Lab) -> None:
    """Make an environment of 100 packages on a machine that has them in its cache."""
    template, bucket = lab.environment(100, files=20), lab.server.new_bucket()
    source = lab.machine("source", "conda")
    shutil.copytree(template, source.prefix("all"), symlinks=True)
    source.sync(bucket)
    file, explicit = lab.folder / "all.yml", lab.folder / "explicit.txt"
    lab.server.client.download_file(bucket, "all.yml", str(file))
    explicit.write_text(source.conda("list", "-n", "all", "--explicit").stdout)
    machines = {name: lab.machine(kind, kind) for name, kind in OURS.items()}
    conda, without = machines.values()

    def create(*words: str, solver: str) -> Action:
        command = (python(conda), "-m", "conda", *words)
        return partial(conda.run, *command, CONDA_SOLVER=solver)

    actions: dict[str, Action] = {
        name: partial(machine.sync, bucket) for name, machine in machines.items()
    }
    for each in dict.fromkeys([solver(), *(["classic"] if HAS_CLASSIC else [])]):
        words = ("env", "create", "-n", "all", "-f", str(file))
        actions[f"conda env create, {each}"] = create(*words, solver=each)
    words = ("create", "-n", "all", "--file", str(explicit))
    actions["conda create, explicit"] = create(*words, solver="classic")
    prefix = without.prefix("all")
    rattler = partial(without.run, python(without), "-c", INSTALL, template, prefix)
    actions["py-rattler alone"] = rattler
    actions["cp -al"] = partial(conda.run, "cp", "-al", template, conda.prefix("all"))

    def forget() -> None:
        for machine in machines.values():
            shutil.rmtree(machine.prefix("all"), ignore_errors=True)
            shutil.rmtree(machine.home / ".conda", ignore_errors=True)

    for action in actions.values():  # which fills the caches
        forget()
        action()
    lab.in_turn("restore", "100 packages", actions, forget)


SECTIONS = {
    function.__name__: function
    for function in (startup, original, floor, scale, big, restore)
}
