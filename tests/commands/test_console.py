"""`sparsevae COMMAND`: every command is found, errors are one line, pipes may be closed."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sparsevae.commands.console import COMMANDS

SCRIPTS = Path(__file__).parents[2] / "scripts"
CONSOLE = [sys.executable, "-c", "from sparsevae.commands.console import main; main()"]


def run(*arguments):
    return subprocess.run([*CONSOLE, *arguments], capture_output=True, text=True, check=False)


def test_without_a_command_all_are_listed():
    for arguments in ((), ("--help",), ("-h",)):
        done = run(*arguments)
        assert done.returncode == 0 and all(f"  {name} " in done.stdout for name in COMMANDS)


def test_commands_are_those_of_the_scripts():
    assert set(COMMANDS) == {path.stem for path in SCRIPTS.glob("*.py")}
    project = tomllib.loads((SCRIPTS.parent / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"sparsevae": "sparsevae.commands.console:main"}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_what_it_takes(name):
    done = run(name, "--help")
    assert done.returncode == 0 and f"usage: sparsevae {name}" in done.stdout
    script = subprocess.run(
        [sys.executable, SCRIPTS / f"{name}.py", "--help"], capture_output=True, text=True
    )
    assert script.returncode == 0
    assert script.stdout.splitlines()[1:] == done.stdout.splitlines()[1:] or len(script.stdout) > 99


def test_errors_are_one_line():
    for arguments, said in (
        (("trian",), "Did you mean 'train'"),
        (("train", "--name", "a b"), "`name` must begin with"),
    ):
        done = run(*arguments)
        assert done.returncode == 1 and said in done.stderr
        assert "Traceback" not in done.stderr and done.stdout == ""


def test_what_an_import_runs_into_is_one_line_too():
    """Ctrl-C, or a package that is not there, while a command is still being imported."""
    for raised, code, said in (
        ("KeyboardInterrupt()", 130, "\nStopped."),
        ("ImportError('no such package')", 1, "\nError: no such package\n"),
    ):
        finder = f"type('F', (), {{'find_spec': lambda *a: (_ for _ in ()).throw({raised})}})"
        start = f"import sys; from sparsevae.commands.console import main; M={finder}"
        done = subprocess.run(
            [sys.executable, "-c", f"{start}; sys.meta_path.insert(0, M()); main()", "serve"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code and said in done.stderr
        assert "Traceback" not in done.stderr


def test_nothing_sends_an_installed_user_to_scripts():
    """An installed package has commands, and no folder `scripts`."""
    package = SCRIPTS.parent / "sparsevae"
    sent = [path for path in package.rglob("*.py") if "scripts/" in path.read_text()]
    assert sent == [package / "commands" / "__init__.py"]  # which tells of both


def test_a_reader_may_leave_early():
    """As in `sparsevae train --help | head -1`."""
    process = subprocess.Popen(
        [*CONSOLE, "train", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    with process.stderr as stderr:
        errors = stderr.read()
    process.wait()
    assert b"Broken pipe" not in errors and b"Exception ignored" not in errors
