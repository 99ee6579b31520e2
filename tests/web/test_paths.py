"""Names from outside never leave the folder they belong to (I70)."""

import os

import pytest

from baro.core.errors import DataError
from baro.web.paths import inside

OUTSIDE = [
    "..", "../secret.txt", "a/../../secret.txt", "./a.txt", "/etc/passwd", "//etc/passwd", "a//b", "", ".", "a/",
    "a.txt\0", "a\\..\\b", "C:\\a", "C:a", "file:a", "link.txt", "linked/secret.txt", "con", "NUL.txt", "com1",
    "a/aux.log", "pipe", "missing.txt", "%2e%2e/secret.txt", "a\n.txt", "~", "loop",
]  # fmt: skip


@pytest.fixture
def root(tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    for file in ("a.txt", "a/b.txt", "답.txt", "nul.txt", "..b"):
        (root / file).write_text("open")
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    (root / "linked").symlink_to(tmp_path)
    (root / "loop").symlink_to(root / "loop")
    (root / "good.txt").symlink_to(root / "a.txt")
    os.mkfifo(root / "pipe")
    return root


@pytest.mark.invariant("I70")
@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_out_are_refused(root, name, monkeypatch):
    monkeypatch.setattr("io.open", None)  # nothing may be opened to find out
    with pytest.raises(DataError):
        inside(root, name)


@pytest.mark.parametrize("name", ["a.txt", "a/b.txt", "답.txt", "good.txt", "a", "..b"])
def test_names_inside_are_found(root, name):
    assert inside(root, name).is_relative_to(root.resolve())
