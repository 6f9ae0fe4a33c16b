"""What is deployed: whole, pinned, and the same bytes from the same input."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml
from lakes import PROJECT

from datalake import distribution, package
from datalake.distribution import build, build_wheel, glue_requirements
from datalake.errors import PackagingError


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All but the Lambda functions, which test_package.py is about."""
    folder = tmp_path_factory.mktemp("dist")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(package, "build", lambda project, target: target.touch())
        build(PROJECT, folder)
    return folder


def test_every_file_that_the_stack_uploads_is_built(built: Path) -> None:
    names = sorted(re.sub(r"-[\d.]+-", "-", file.name) for file in built.iterdir())
    assert names == ["datalake-py3-none-any.whl", "lambda.zip", "project.zip", "requirements.txt"]


def test_same_input_makes_the_same_bytes(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the time, the owner's mask and the place are."""
    copy = tmp_path / "elsewhere"
    for name in ("src", "models", "macros", "tests/generic", "seeds", "analyses"):
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for pattern in ("*.toml", "*.yml", "*.example", "*.lock", "README.md", "LICENSE", ".gitignore", "tests/*.sql"):
        for file in PROJECT.glob(pattern):
            shutil.copyfile(file, copy / file.relative_to(PROJECT))
    for path in copy.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o700 if path.is_dir() else 0o600)
    monkeypatch.setattr(package, "build", lambda project, target: target.touch())
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    again = build(copy, tmp_path / "again")
    assert {file.name: digest(file) for file in again} == {file.name: digest(file) for file in built.iterdir()}


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_wheel_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    (tmp_path / "datalake-0.0.1-py3-none-any.whl").touch()
    wheel = build_wheel(PROJECT, tmp_path)
    assert list(tmp_path.iterdir()) == [wheel]


def test_package_runs_from_the_wheel_as_a_zip_on_the_path(built: Path, tmp_path: Path) -> None:
    """As Glue puts it there, beside the packages of requirements.txt."""
    (wheel,) = built.glob("*.whl")
    code = "import datalake, datalake.alerts as a; print(datalake.__file__, len(a.load_alerts()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [f"{wheel}/datalake/__init__.py", "5"]


def test_requirements_of_glue_are_all_that_the_wheel_needs_pinned_with_hashes(built: Path, tmp_path: Path) -> None:
    """A resolver of pip's finds every one on Glue's platform, as a wheel, and asks for no other."""
    command = [
        *(package.find_uv(), "pip", "install", "--dry-run", "--quiet", "--require-hashes", "--only-binary", ":all:"),
        *("--target", str(tmp_path / "none"), "--python-version", "3.11"),
        *("--python-platform", distribution.GLUE_PLATFORM, "--requirements", str(built / "requirements.txt")),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = built.glob("*.whl")
    with ZipFile(wheel) as archive:
        metadata = message_from_bytes(
            archive.read(next(name for name in archive.namelist() if name.endswith("METADATA")))
        )
    asked = {
        re.split(r"[^a-z0-9-]", value)[0] for value in metadata.get_all("Requires-Dist", []) if "extra ==" not in value
    }
    text = (built / "requirements.txt").read_text()
    assert asked <= set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))
    lock = (PROJECT / "requirements.lock").read_text()
    assert set(re.findall(r"sha256:\w{64}", text)) < set(re.findall(r"sha256:\w{64}", lock))
    assert not re.findall(r"^(moto|pytest|ruff|trino)\b", text, re.MULTILINE)


def test_package_that_the_lock_lacks_stops_the_requirements(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[project]\nname = 'one'\nversion = '1'\nrequires-python = '>=3.11'\ndependencies = ['orjson']\n"
    )
    (tmp_path / "requirements.lock").write_text("")
    with pytest.raises(PackagingError, match=r"has no orjson==\S+, which the Glue jobs need. Run make lock"):
        glue_requirements(tmp_path)


def test_wheel_that_can_not_be_built_says_why(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'one'\n[tool.hatch]\n")
    with pytest.raises(PackagingError, match=r"(?s)The wheel can't be built:.*version"):
        build_wheel(tmp_path, tmp_path)


def test_project_zip_holds_every_file_that_dbt_reads(built: Path) -> None:
    settings = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())
    folders = [path for key, paths in settings.items() if key.endswith("-paths") for path in paths]
    ignored = tuple((PROJECT / ".dbtignore").read_text().split())
    read = {
        file.relative_to(PROJECT).as_posix()
        for folder in folders
        for file in (PROJECT / folder).rglob("*")
        if file.suffix in (".sql", ".yml", ".md", ".csv")
    }
    read = {name for name in read if not name.startswith((*ignored, "tests/python/"))}
    with ZipFile(built / "project.zip") as archive:
        assert set(archive.namelist()) == read | {"dbt_project.yml", "selectors.yml", "profiles.yml"}
        assert archive.read("profiles.yml") == (PROJECT / "profiles.yml.example").read_bytes()
