"""The IAM policies that the documentation shows are enough, and are no more than that.

Run by `make test-s3 SERVER=ministack`: that server enforces them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from acceptance import contents
from machine import Machine
from real_server import SERVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from make_channel import Channel
    from real_server import RealServer

    #: Makes a machine of somebody with such a policy; `None`: with none at all.
    Hire = Callable[[str | None], Machine]

ROOT = Path(__file__).resolve().parents[1]

READ = {"s3:ListBucket", "s3:GetObject"}
WRITE = READ | {"s3:PutObject"}
DELETE = WRITE | {"s3:DeleteObject"}


def shown() -> dict[str, str]:
    """Return the policies of people that the documentation shows, by their place."""
    found = {}
    for page in (ROOT / "README.rst", *sorted(ROOT.glob("docs/*.rst"))):
        text = page.read_text("utf-8")
        for match in re.finditer(r"code-block:: json\n\n((?:    .*\n|\n)+)", text):
            # Policies with a principal are those of buckets.
            if '"Statement"' in match[1] and '"Principal"' not in match[1]:
                line = text[: match.start()].count("\n") + 1
                found[f"{page.name}:{line}"] = match[1]
    return found


def actions(policy: str) -> set[str]:
    """Return what a policy allows."""
    found = [statement["Action"] for statement in json.loads(policy)["Statement"]]
    return {
        action
        for each in found
        for action in ([each] if isinstance(each, str) else each)
    }


def without(policy: str, *names: str) -> str:
    """Return a policy that allows less."""
    document: Any = json.loads(policy)
    for statement in document["Statement"]:
        if isinstance(statement["Action"], list):
            left = [name for name in statement["Action"] if name not in names]
            statement["Action"] = left
    return json.dumps(document)


POLICIES = shown()
MEMBERS = {at: text for at, text in POLICIES.items() if actions(text) == DELETE}
READERS = {at: text for at, text in POLICIES.items() if actions(text) == READ}
# In words, the documentation says what these are, too.
for _at, _text in MEMBERS.items():
    READERS[f"{_at}, without writing"] = without(
        _text, "s3:PutObject", "s3:DeleteObject"
    )
WRITERS = {
    f"{at}, without deleting": without(text, "s3:DeleteObject")
    for at, text in MEMBERS.items()
}


@pytest.fixture
def bucket(real_server: RealServer) -> str:
    return real_server.new_bucket()


@pytest.fixture
def hire(tmp_path: Path, channel: Channel, bucket: str) -> Hire:
    iam = boto3.client("iam", endpoint_url=SERVER.endpoint)

    def build(policy: str | None) -> Machine:
        name = f"user-{uuid4().hex[:8]}"
        iam.create_user(UserName=name)
        if policy is not None:
            iam.put_user_policy(
                UserName=name,
                PolicyName="shown",
                PolicyDocument=policy.replace("my-bucket", bucket),
            )
        key = iam.create_access_key(UserName=name)["AccessKey"]
        machine = Machine(
            tmp_path / name,
            kind="standalone",
            channels=[channel.url],
            endpoint=SERVER.endpoint,
        )
        machine.environment |= {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            "CONDA_PLUGINS_S3_SYNC_LOCATION": f"{bucket}/team",
            "CONDA_PLUGINS_S3_SYNC_KEEP_VERSIONS": "1",
        }
        return machine

    return build


def refused(machine: Machine, *arguments: str) -> str:
    """Return what a run says that may not do something: in words, and few."""
    done = machine.sync_here(*arguments, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Traceback" not in said
    assert "access is denied" in said
    return said


def test_every_policy_that_is_shown_is_tried() -> None:
    assert MEMBERS
    assert set(POLICIES) <= {*MEMBERS, *READERS}


@pytest.mark.parametrize("policy", MEMBERS.values(), ids=MEMBERS)
def test_a_member_may_do_everything(
    policy: str, hire: Hire, real_server: RealServer, bucket: str
) -> None:
    a, b = hire(policy), hire(policy)
    a.create("ml", "lib01=1.0")
    a.create("web", "nopy=1.0")
    for _ in range(2):
        assert a.sync_here().stderr == ""
    for version in ("1.1", "2.0"):  # and old versions go
        a.install("ml", f"lib01={version}")
        assert "1 pushed" in a.sync_here().stdout
    assert "2 pulled" in b.sync_here().stdout
    assert contents(a) == contents(b)
    history = b.sync_here("--history", "ml").stdout
    assert "lib01" in history
    b.remove("web")
    assert "1 removed from the bucket" in b.sync_here("--delete", "-y").stdout
    assert "1 removed here" in a.sync_here("--delete", "-y").stdout
    assert "1 restored" in a.sync_here("--restore", "web").stdout
    assert "1 pulled" in b.sync_here().stdout
    assert contents(a) == contents(b)


@pytest.mark.parametrize("policy", MEMBERS.values(), ids=MEMBERS)
def test_a_member_is_held_to_the_location(
    policy: str, hire: Hire, real_server: RealServer, bucket: str
) -> None:
    a = hire(policy)
    a.create("ml", "lib01=1.0")
    for place in (f"{bucket}/other", bucket, f"{bucket}/team2"):
        said = refused(a, place)
        assert f"s3:ListBucket on arn:aws:s3:::{bucket}" in said
    assert real_server.keys(bucket) == []


@pytest.mark.parametrize("policy", WRITERS.values(), ids=WRITERS)
def test_who_may_not_delete_does_all_else(
    policy: str, hire: Hire, real_server: RealServer, bucket: str
) -> None:
    a, b = hire(policy), hire(policy)
    a.create("ml", "lib01=1.0")
    a.create("web", "nopy=1.0")
    a.sync_here()
    for version in ("1.1", "2.0"):
        a.install("ml", f"lib01={version}")
        assert "1 pushed" in a.sync_here().stdout
    b.sync_here()
    assert contents(a) == contents(b)
    a.remove("web")
    said = refused(a, "--delete", "-y")
    assert f"s3:DeleteObject on arn:aws:s3:::{bucket}/team/*" in said
    assert "team/web.yml" in real_server.keys(bucket)
    assert "deleted" not in b.sync_here("--history", "web").stdout
    assert "1 pulled" in a.sync_here().stdout
    assert contents(a) == contents(b)


@pytest.mark.parametrize("policy", READERS.values(), ids=READERS)
def test_a_reader_pulls_and_writes_nothing(
    policy: str, hire: Hire, real_server: RealServer, bucket: str
) -> None:
    member, reader = hire(next(iter(MEMBERS.values()))), hire(policy)
    member.create("ml", "lib01=1.0")
    member.create("web", "nopy=1.0")
    member.sync_here()
    there = real_server.keys(bucket)
    for _ in range(2):
        pulled = reader.sync_here("--pull-only")
        assert pulled.stderr == ""
    assert pulled.stdout.endswith("2 in step\n")
    assert contents(reader) == contents(member)
    assert "nopy" in reader.sync_here("--history", "web").stdout

    reader.create("own", "lib05=1.0")
    reader.install("ml", "lib05=1.0")
    needed = f"The credentials need s3:PutObject on arn:aws:s3:::{bucket}/team/*."
    assert refused(reader).count(needed) == 2  # one of each environment
    reader.sync_here("--pull-only")
    member.install("ml", "lib01=2.0")
    member.sync_here()
    after = real_server.keys(bucket)
    said = refused(reader, "--pull-only")  # it would overwrite a change of its own
    assert needed in said
    assert "lib05" in reader.packages("ml")
    assert real_server.keys(bucket) == after
    assert set(there) < set(after)
    assert "team/own.yml" not in after

    reader.remove("web")
    said = refused(reader, "--delete", "-y", "-n", "web")
    assert "s3:" in said
    assert "team/web.yml" in real_server.keys(bucket)


def test_who_has_no_policy_is_told_what_it_takes(hire: Hire, bucket: str) -> None:
    nobody = hire(None)
    nobody.create("ml", "lib01=1.0")
    for arguments in ([], ["--dry-run"], ["--history", "ml"], ["--restore", "ml"]):
        said = refused(nobody, *arguments)
        assert f"s3:ListBucket on arn:aws:s3:::{bucket}" in said, arguments


@pytest.mark.parametrize("policy", READERS.values(), ids=READERS)
def test_just_to_pull_less_is_enough(policy: str, hire: Hire, bucket: str) -> None:
    member = hire(next(iter(MEMBERS.values())))
    reader = hire(policy.replace(', "team/.s3-sync/*"', ""))
    member.create("ml", "lib01=1.0")
    member.sync_here()
    reader.sync_here("--pull-only")
    assert contents(reader) == contents(member)
    said = refused(reader, "--history", "ml")
    assert f"s3:ListBucket on arn:aws:s3:::{bucket}" in said


@pytest.mark.parametrize("policy", MEMBERS.values(), ids=MEMBERS)
def test_a_location_need_not_have_a_path(policy: str, hire: Hire, bucket: str) -> None:
    policy = policy.replace('"team/"', '""').replace("team/", "")
    a, b = hire(policy), hire(policy)
    for machine in (a, b):
        machine.environment["CONDA_PLUGINS_S3_SYNC_LOCATION"] = bucket
    a.create("ml", "lib01=1.0")
    a.sync_here()
    b.sync_here()
    assert contents(a) == contents(b)
    b.remove("ml")
    assert (
        "1 removed from the bucket" in b.sync_here("--delete", "-y", "--force").stdout
    )
    assert "lib01" in a.sync_here("--history", "ml").stdout
