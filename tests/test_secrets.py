"""Whatever a machine knows that nobody else should: it stays there, and works there."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from acceptance import actions, bodies, plant
from hand_made import add_distribution
from http_channel import HttpChannel, basic
from machine import Machine
from make_wheels import write_wheel

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from make_channel import Channel
    from s3server import Request, S3Server

    Build = Callable[..., Machine]

#: Each secret of the machine that pushes has the one word in it, each of the machine
#: that pulls the other one. An `@` in a password is `%40` in an address.
HERS, HIS = "hush", "psst"
HER_LOGIN, HIS_LOGIN = "ann-hush:hush%40word", "bob-psst:psst%40word"

VARIABLES = {
    "API_KEY": "hush-key",
    "AWS_SECRET_ACCESS_KEY": "hush-aws-too",
    "MIRROR": "https://ann:hush-mirror@example.org/",
    "SIGNED": "https://example.org/x?X-Amz-Signature=hush-signed",
    "DATABASE": "host=db user=ann password=hush-database",
    "FOR_CI": "ghp_hushhushhushhushhush",
}

#: What S3 itself is told by whoever has a session, in a header that is made for it.
SESSION = "x-amz-security-token"


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, channel: Channel
) -> Iterator[HttpChannel]:
    """The usual channel over HTTP, with a wheel beside the packages."""
    folder = tmp_path_factory.mktemp("server")
    for subdir in channel.root.iterdir():
        (folder / subdir.name).symlink_to(subdir)
    write_wheel(folder, "hello", "1.0")
    server = HttpChannel(folder)
    yield server
    server.close()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, server: HttpChannel) -> Machine:
    """A machine full of secrets; only to be copied from."""
    private, guarded = server.let_in("hush-token", HER_LOGIN)
    folder = tmp_path_factory.mktemp("original") / "machine"
    machine = Machine(folder, channels=[private, guarded])
    if machine.kind == "conda":
        machine.environment["CONDA_SOLVER"] = "classic"  # another one loses tokens
    machine.create("ml", "lib00=1.0", f"{private}::lib01=1.0", f"{guarded}::acty")
    machine.create("py", "python", "pip", channel=private)
    machine.set_variables("ml", MODE="fast", **VARIABLES)
    with machine.history("ml").open("a") as file:  # as micromamba writes it
        specs = [f"{private}::lib01=1.0", f"{guarded}::acty"]
        file.write(f"==> 2026-01-02 03:04:05 <==\n# cmd: micromamba -c {private}\n")
        file.write(f"# update specs: {json.dumps(specs)}\n")
    pinned = f"{private}::lib00 ==1.0\nacty[channel='{guarded}']\n"
    (machine.prefix("ml") / "conda-meta" / "pinned").write_text(pinned)
    wheel = f"http://ann:hush-pip@{server.host}/channel/hello-1.0-py3-none-any.whl"
    for name, direct in {
        "hello": {"url": wheel, "archive_info": {}},
        "signed": {"url": f"{wheel}?sig=hush-query", "archive_info": {}},
        "repo": {
            "url": f"http://hush-vcs@{server.host}/repo.git",
            "vcs_info": {"vcs": "git", "commit_id": "0" * 40},
        },
    }.items():
        add_distribution(machine.prefix("py"), name, "1.0", direct=direct)
    return machine


def settle(machine: Machine, private: str, guarded: str) -> None:
    """Tell a machine of the channels, with its own logins, in its .condarc."""
    machine.environment.pop("CONDA_CHANNELS", None)
    machine.environment["CONDA_REMOTE_MAX_RETRIES"] = "0"
    machine.write_condarc(channels=[private, guarded])


def sign_in(machine: Machine, word: str) -> None:
    """Give a machine its own AWS credentials."""
    machine.environment["AWS_SECRET_ACCESS_KEY"] = f"{word}-aws"
    machine.environment["AWS_SESSION_TOKEN"] = f"{word}-session"


class Ear:
    """All that was said: to S3, and on stdout and stderr."""

    def __init__(self, s3: S3Server) -> None:
        self._s3 = s3

    def listen(
        self, machine: Machine, *arguments: str, code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run our command; see that it ends so, and tells no secret."""
        done = machine.sync_here(*arguments, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert secrets_in(done.stdout, done.stderr) == []
        assert secrets_in(*map(as_text, self._s3.requests)) == []
        return done


def as_text(request: Request) -> str:
    """Return all of a request but the session that is meant for S3."""
    headers = {**request.headers, SESSION: ""}
    body = request.body.decode(errors="replace")
    return f"{request.path} {request.query} {headers} {body}"


def secrets_in(*texts: str) -> list[str]:
    """Return the lines in which a secret is."""
    words = [HERS, HIS, *(basic(login).split()[1] for login in (HER_LOGIN, HIS_LOGIN))]
    lines = (line for text in texts for line in text.splitlines())
    return [line for line in lines if any(word in line for word in words)]


def files_of(machine: Machine) -> dict[str, str]:
    """Return what is recorded: of environments, by pip, and by us."""
    state = machine.home / ".conda" / "s3-sync"
    places = (*machine.envs.rglob("conda-meta/*"), *state.rglob("*"))
    pip = machine.envs.rglob("direct_url.json")
    return {str(path): path.read_text() for path in (*places, *pip) if path.is_file()}


@pytest.fixture
def a(original: Machine, machine: Build, server: HttpChannel) -> Machine:
    """The machine full of secrets."""
    a = machine("a")
    settle(a, *server.let_in("hush-token", HER_LOGIN))
    sign_in(a, HERS)
    for name in original.environments():
        plant(original, name, a)
    planted = "".join([(a.home / ".condarc").read_text(), *files_of(a).values()])
    for secret in ("hush-token", "hush%40word", "hush-pip", "hush-query", "hush-vcs"):
        assert secret in planted
    return a


def test_no_secret_leaves_a_machine_and_another_one_uses_its_own(
    a: Machine, machine: Build, server: HttpChannel, s3: S3Server, bucket: str
) -> None:
    ear, b = Ear(s3), machine("b")
    assert "2 to push" in ear.listen(a, bucket, "--dry-run", "-vvv").stdout
    s3.before = lambda request: (403, "AccessDenied") if request.body else None
    ear.listen(a, bucket, "-vv", code=1)
    s3.before = None
    document = json.loads(ear.listen(a, bucket, "--json").stdout)
    assert actions(document) == {"ml": "push", "py": "push"}
    notes = [" ".join(entry["notes"]) for entry in document["environments"]]
    assert all(f"variable {name} stays here" in notes[0] for name in VARIABLES)
    assert "pip package signed stays here" in notes[1]
    assert b"MODE" in bodies(s3, bucket)["ml.yml"]

    sign_in(b, HIS)
    private, guarded = server.let_in("psst-token", HIS_LOGIN)
    settle(b, private.replace("psst", "psst-no"), guarded.replace("psst", "psst-no"))
    assert "2 failed" in ear.listen(b, bucket, "-v", code=1).stdout
    assert b.environments() == []
    settle(b, private, guarded)
    server.requests.clear()
    server.logins.clear()
    said = ear.listen(b, bucket, "-vvv", code=1)
    assert "pip could not install" in said.stderr
    assert "1 pulled, 1 pulled in part" in said.stdout
    assert b.packages("ml") == a.packages("ml") != {}
    assert b.variables("ml") == {"MODE": "fast"}
    tokens = {path.split("/")[2] for path in server.requests if path[:3] == "/t/"}
    assert tokens == {"psst-token"}
    assert set(server.logins) == {basic(HIS_LOGIN)}

    for path in a.prefix("py").glob("lib/*/site-packages/repo-*"):
        shutil.rmtree(path)  # there is no such repository
    ear.listen(a, bucket, "-q")
    document = json.loads(ear.listen(b, bucket, "--json").stdout)
    assert actions(document) == {"ml": "nothing", "py": "pull"}
    assert b.packages("py") == a.packages("py")
    assert b.pip_packages("py") == {"hello": "1.0"}
    assert secrets_in(*files_of(b).values()) == []
    assert " in step" in ear.listen(b, bucket).stdout


CANNOT_BEGIN = {
    "a server that is not there": (
        ["bucket", "--endpoint-url", "http://hush-ann:hush-word@127.0.0.1:9/"],
        1,
        "http://127.0.0.1:9 cannot be reached",
    ),
    "a server without an address": (
        ["bucket", "--endpoint-url", "hush-ann:hush-word@host"],
        1,
        "the endpoint URL or the region is wrong",
    ),
    "a bucket with keys": (
        ["s3://hush-ann:hush-word/x+y@bucket/team"],
        2,
        "'bucket/team' names no bucket",
    ),
}


@pytest.mark.parametrize("flag", ["--json", "-vv"])
@pytest.mark.parametrize(
    ("arguments", "code", "why"), CANNOT_BEGIN.values(), ids=CANNOT_BEGIN
)
def test_no_run_that_cannot_begin_tells_a_login(
    arguments: list[str],
    code: int,
    why: str,
    flag: str,
    machine: Build,
    s3: S3Server,
) -> None:
    here = machine("here")
    # An address with a login is none of those that are named there.
    here.environment |= dict.fromkeys(("NO_PROXY", "no_proxy"), "*")
    said = Ear(s3).listen(here, *arguments, flag, code=code)
    assert why in said.stdout + said.stderr
    assert ("Traceback" in said.stderr) == (flag == "-vv")
