"""Many environments: what they cost does not get out of hand."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from acceptance import sync_nothing
from hand_made import add_record, make_prefix
from lengths import IS_LONG
from memory import peak

from conda_s3_sync_plugin.location import Location
from conda_s3_sync_plugin.store import S3Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine
    from s3server import S3Server

#: What S3 lists at a time.
PAGE = 1000

#: In MiB, above what conda needs by itself.
MOST_MEMORY = 150

MODULES = {"conda": ("conda", "s3-sync"), "standalone": ("conda_s3_sync_plugin",)}


def test_a_page_of_the_listing_has_a_thousand_entries_and_the_history_is_one_of_them(
    s3: S3Server, bucket: str
) -> None:
    def add(*keys: str) -> None:
        with ThreadPoolExecutor(8) as pool:
            for key in keys:
                pool.submit(s3.client.put_object, Bucket=bucket, Key=key, Body=b"")

    store = S3Store(Location(bucket), endpoint_url=s3.endpoint)
    names = [f"env-{number:04}" for number in range(PAGE)]
    add(".s3-sync/env-0000/a", ".s3-sync/env-0000/b", ".s3-sync/c")
    for some, requests in ((names[1:], 1), (names, 2)):
        there = store.list().environments
        add(*(f"{name}.yml" for name in some if name not in there))
        s3.requests.clear()
        assert [*store.list().environments] == some
        assert s3.counts() == {"LIST": requests}


@pytest.mark.long
def test_many_environments_need_little_memory(
    machine: Callable[..., Machine], s3: S3Server, bucket: str
) -> None:
    # With base, which takes no part unless asked for, a thousand.
    number = 999 if IS_LONG else 99
    a = machine("a")
    template = make_prefix(a.root / "template")
    for index in range(20):
        add_record(template, f"package{index}")
    for index in range(number):
        shutil.copytree(template, a.prefix(f"env-{index:04}"))
    least = peak(a, "conda", "info") if a.kind == "conda" else 0
    for _ in ("push", "nothing to do"):
        assert peak(a, *MODULES[a.kind], bucket) < least + MOST_MEMORY
    sync_nothing(a, s3, bucket)
