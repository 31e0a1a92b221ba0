"""What the documentation does with the AWS CLI, in its words, by boto3.

The real one is as large as all the rest together, and is not what is tested here, but
what a bucket holds.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEME = "s3://"


def run_aws(client: Any, words: list[str], folder: Path) -> str:
    """Run `aws WORDS` in a folder, and return what it says."""
    match words:
        case ["s3", "ls", place]:
            return "".join(f"{line}\n" for line in _list(client, *_split(place)))
        case ["s3", "cp", place, "-"]:
            bucket, key = _split(place)
            return str(client.get_object(Bucket=bucket, Key=key)["Body"].read(), "utf8")
        case ["s3", "cp", place, file]:
            bucket, key = _split(place)
            client.download_file(bucket, key, str(folder / file))
        case ["s3", "rm", place]:
            bucket, key = _split(place)
            client.delete_object(Bucket=bucket, Key=key)
        case ["s3", "mb", place]:
            client.create_bucket(Bucket=_split(place)[0])
        case ["s3api", "put-bucket-versioning", "--bucket", bucket, *rest]:
            assert rest == ["--versioning-configuration", "Status=Enabled"]
            client.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        case _:
            raise AssertionError(f"no test knows how to run: aws {shlex.join(words)}")
    return ""


def _split(place: str) -> tuple[str, str]:
    assert place.startswith(SCHEME)
    bucket, _, key = place.removeprefix(SCHEME).partition("/")
    return bucket, key


def _list(client: Any, bucket: str, prefix: str) -> Iterator[str]:
    """Yield a line for each folder and each object right below a prefix."""
    page = client.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/")
    for folder in page.get("CommonPrefixes", ()):
        yield f"{'PRE':>30} {folder['Prefix'].removeprefix(prefix)}"
    for entry in page.get("Contents", ()):
        name = entry["Key"].removeprefix(prefix)
        yield f"{entry['LastModified']:%Y-%m-%d %H:%M:%S} {entry['Size']:>10} {name}"
