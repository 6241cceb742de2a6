import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from sparsevae import export, records
from sparsevae.study.one.summary import side_by_side

SCRIPTS = Path(__file__).parents[2] / "scripts"


SCRIPT_NAMES = sorted(path.name for path in SCRIPTS.glob("*.py") if path.name != "command.py")


@pytest.mark.parametrize("name", SCRIPT_NAMES)
def test_help_needs_no_tensorflow(name):
    code = (
        f"import runpy, sys\nsys.argv = ['{name}', '--help']\n"
        "try:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally:\n    print('LOADED', {'keras', 'tensorflow'} & set(sys.modules))\n"
    )
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, '.')\n{code}"]
    done = subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower() and "LOADED set()" in done.stdout


def assert_one_line(code, err, *words):
    assert code == 1
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("Error: "), err
    assert all(word in lines[0] for word in words), err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--gate", "hard_concret"], ["`gate`", "Did you mean 'hard_concrete'"]),
        (["--strength", "-1"], ["`strength`", "-1"]),
        (["--name", "../a"], ["`name`"]),
        (["--data", "tinny", "--n-steps", "1"], ["Did you mean 'tiny'"]),
    ],
    ids=lambda part: " ".join(part),
)
def test_wrong_settings_end_in_one_line(script, arguments, words, tmp_path):
    code, _, err = script("train.py", "--name", "a", "--runs", tmp_path, *arguments)
    assert_one_line(code, err, *words)
    assert list(tmp_path.iterdir()) == []


def test_other_settings_end_in_one_line(script, finished, arguments):
    folder, _ = finished
    code, _, err = script("train.py", *arguments, "--runs", folder.parent, "--beta", "2")
    assert_one_line(code, err, "beta was 1.0, now 2.0")


@pytest.mark.parametrize(
    ("name", "more"),
    [
        *(("evaluate.py", []), ("export.py", ["to"]), ("prune.py", ["--name", "a"])),
        *(("compare.py", []), ("analyze.py", [])),
    ],
    ids=["evaluate", "export", "prune", "compare", "analyze"],
)
def test_an_absent_run_ends_in_one_line(script, name, more, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = script(name, "absent", *more)
    assert_one_line(code, err, "absent")
    assert list(tmp_path.iterdir()) == []


def test_train_prints_the_record_of_a_complete_run(script, finished, arguments):
    folder, record = finished
    code, out, _ = script("train.py", *arguments, "--runs", folder.parent)
    assert code == 0
    assert f"{record['elbo']:.2f}" in out and "decoder_deconv_6" in out


def test_runs_side_by_side(script, finished):
    folder, record = finished
    code, out, _ = script("compare.py", folder, folder)
    assert code == 0
    rows = {line[:26].strip(): line[26:].split() for line in out.splitlines()}
    assert rows["ELBO, nats per image"] == [f"{record['elbo']:.2f}"] * 2
    assert rows["share of links open"] == [f"{record['density']:.4f}"] * 2


def test_what_a_run_lacks_is_a_dash():
    known = {"name": "one", "elbo": -3.0, "scores": {"mig": 0.5, "mig_active": 0.5}}
    other = {"name": "a" * 40, "elbo": -2.0, "density": 0.1, "scores": {}}
    lines = [line.split() for line in side_by_side([known, other]).splitlines()]
    assert lines[0] == ["one", "a" * 29 + "…"]
    assert lines[1:] == [
        ["ELBO,", "nats", "per", "image", "-3.00", "-2.00"],
        ["share", "of", "links", "open", "-", "0.1000"],
        ["mig", "0.500", "-"],
    ]


def test_export_then_evaluate(script, finished, tmp_path):
    folder, record = finished
    to = tmp_path / "saved" / "tiny"
    code, out, _ = script("export.py", folder, to)
    assert code == 0 and str(to) in out
    assert export.load(to).card["settings"] == record["settings"]
    for place in (folder, to):
        code, out, _ = script("evaluate.py", place, "--metrics", *record["settings"]["metrics"])
        assert code == 0 and f"{record['scores']['mig_ceiling']:10.3f}" in out
        for name, score in records.read_json(place / "scores.json").items():
            assert score == pytest.approx(record["scores"][name], abs=1e-3)
    code, _, err = script("export.py", folder, to)
    assert_one_line(code, err, "overwrite")
    code, out, _ = script("export.py", folder, to, "--overwrite", "--license", "MIT")
    assert code == 0 and export.load(to).card["license"] == "MIT"


def test_encode_writes_a_table(script, finished, tmp_path):
    exported = tmp_path / "tiny"
    assert script("export.py", finished[0], exported)[0] == 0
    (tmp_path / "images").mkdir()
    for name in ("b.png", "a.png"):
        Image.new("L", (16, 16)).save(tmp_path / "images" / name)
    out = tmp_path / "codes.csv"
    code, text, _ = script("encode.py", tmp_path / "images", "--model", exported, "--out", out)
    assert code == 0 and f"2 images, 3 latents: {out}" in text
    assert [line[:5] for line in out.read_text().splitlines()[1:]] == ["a.png", "b.png"]
    code, _, err = script("encode.py", tmp_path / "none", "--model", exported, "--out", out)
    assert_one_line(code, err, "`folder` must be a folder of images")


def test_an_unknown_metric_ends_in_one_line(script, finished):
    code, _, err = script("evaluate.py", finished[0], "--metrics", "migg")
    assert_one_line(code, err, "Did you mean 'mig'")


def test_data_says_how_to_get_a_set_by_hand(script):
    code, out, _ = script("data.py", "fetch", "cars3d")
    assert code == 0
    assert "nips2015-analogy-data.tar.gz, md5 4e866a79" in out and "Please cite: Reed" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fetch", "cars"], ["`name`", "Did you mean 'cars3d'"]),
        (["compare", "absent.npz"], ["`path` must be named", "absent.npz"]),
    ],
    ids=["fetch", "compare"],
)
def test_data_refuses_in_one_line(script, arguments, words):
    code, _, err = script("data.py", *arguments)
    assert_one_line(code, err, *words)


def test_data_describes_and_draws_any_set(script, tmp_path):
    code, out, _ = script("data.py", "describe", "tiny")
    assert code == 0 and "tiny" in out and "128 of 16 x 16 x 1" in out
    picture = tmp_path / "grid.png"
    code, out, _ = script("data.py", "grid", "noisy_tiny", "--to", picture)
    assert code == 0 and str(picture) in out and picture.read_bytes().startswith(b"\x89PNG")
    code, _, err = script("data.py", "describe", "tin")
    assert_one_line(code, err, "Did you mean 'tiny'")
