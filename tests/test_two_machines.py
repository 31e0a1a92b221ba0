"""Two computers, one bucket: `conda s3-sync` as people run it, every command twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine

pytestmark = pytest.mark.conda


def test_first(machine: Callable[..., Machine], bucket: str) -> None:
    a, b = machine("a"), machine("b")
    a.create("ml", "lib05")
    a.create("py", "python", "pip", "lib01=1.1")
    a.pip("py", "install", "hello==1.0")
    a.conda("env", "config", "vars", "set", "-n", "py", "MODE=fast", "API_KEY=x")
    done = a.sync(f"{bucket}/team", check=False)
    print("A1", done.stdout, done.stderr)
    done = a.sync(f"{bucket}/team", check=False)
    print("A2", done.stdout, done.stderr)
    done = b.sync(f"{bucket}/team", check=False)
    print("B1", done.stdout, done.stderr)
    done = b.sync(f"{bucket}/team", "-v", check=False)
    print("B2", done.stdout, done.stderr)
    done = b.sync(f"{bucket}/team", "--json", check=False)
    print("B2", done.stdout, done.stderr)
    assert a.packages("py") == b.packages("py")
    assert b.pip_packages("py") == a.pip_packages("py")
    print(b.variables("py"))
    assert 0
