import pytest

from sparsevae.study import StudyFileError, read_study
from sparsevae.study.settings import RunSettings
from sparsevae.study.sweeps import study_file

GOOD = """\
name = "price"          # line 1
runs = "RUNS"

[fixed]
data = "toy"
n_steps = 2_000
gate_options = {initial_density = 0.9}

[grid]                  # line 9
seed = [0, 1]
strength = [
    30,
    100.0,
]
metrics = [["mig"], ["mig", "sap"]]
"""


def write(tmp_path, text):
    path = tmp_path / "study.toml"
    path.write_text(text.replace("RUNS", str(tmp_path / "runs")))
    return path


def test_a_file_becomes_a_study(tmp_path):
    study = read_study(write(tmp_path, GOOD))
    assert study.folder == tmp_path / "runs" / "price"
    assert not study.folder.exists()
    assert study.varied == ("seed", "strength", "metrics")
    assert len(study.cells) == 8
    assert {cell.strength for cell in study.cells} == {30.0, 100.0}
    assert all(type(cell.strength) is float for cell in study.cells)
    assert study.cells[0].gate_options == {"initial_density": 0.9}


def test_the_name_is_the_files_by_default(tmp_path):
    assert read_study(write(tmp_path, "[grid]\nseed = [0]\n")).name == "study"


def test_every_field_of_the_settings_can_be_fixed_and_varied(tmp_path):
    """Fields that join the settings join studies by themselves."""
    default = RunSettings("a")
    assert set(study_file.FIELDS) | {"name"} == set(vars(default))
    for field in study_file.FIELDS:
        value = getattr(default, field)
        if isinstance(value, (bool, int, float)):
            text = str(value).lower()
            study = read_study(write(tmp_path, f"[fixed]\n[grid]\n{field} = [{text}]\n"))
            assert getattr(study.cells[0], field) == value


def with_line(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


BAD = {
    "syntax": (with_line("seed = [0, 1]", "seed = [0, 1"), r":1\d: not valid TOML"),
    "cut off": (GOOD + 'x = "', r":16: not valid TOML"),
    "unknown field": (
        with_line("data =", "dta ="),
        r":5: `field` must be one of .*Did you mean 'data'\?",
    ),
    "unknown field in grid": (
        with_line("strength = [", "strenght = ["),
        r":11: .*Did you mean 'strength'\?",
    ),
    "unknown section": (with_line("[grid]", "[gird]"), r":9: .*Did you mean 'grid'\?"),
    "field outside": (with_line('name = "price"', "beta = 4.0"), r":1: `beta` must stand under"),
    "wrong type": (
        with_line("n_steps = 2_000", 'n_steps = "many"'),
        r":6: `n_steps` has a value of a wrong type: Expected `int`, got `str`.*'many'",
    ),
    "fraction of a count": (with_line("2_000", "2.5"), r":6: `n_steps` .*Expected `int`"),
    "wrong type in grid": (with_line("[0, 1]", '[0, "1"]'), r":10: `seed` .*Expected `int`"),
    "wrong type inside": (with_line("0.9", "[0.9]"), r":7: `gate_options` .*got `array`"),
    "refused value": (
        with_line('data = "toy"', 'gate = "hard_concret"'),
        r":5: `gate` must be one of .*Did you mean 'hard_concrete'\?",
    ),
    "unknown data set": (with_line('"toy"', '"dsprite"'), r":5: .*Did you mean 'dsprites'\?"),
    "refused in grid": (with_line("30,", "-30,"), r":11: `strength` must be finite"),
    "unknown metric": (with_line('["mig"],', '["mgi"],'), r":15: .*Did you mean 'mig'\?"),
    "no list": (with_line("[0, 1]", "7"), r":10: `seed` must be a list .*Received: 7"),
    "empty list": (with_line("[0, 1]", "[]"), r":10: `seed` must be a list .*an empty list"),
    "empty grid": (GOOD[: GOOD.index("seed")], r":9: the grid is empty"),
    "no grid": (GOOD[: GOOD.index("[grid]")], r":1: the grid is empty"),
    "value twice": (with_line("100.0", "30.0"), r":11: `strength` lists 30.0 twice"),
    "fixed and varied": (
        with_line("n_steps = 2_000", "seed = 3"),
        r":10: `seed` is fixed in line 6 and cannot vary too",
    ),
    "cell twice": (
        "[[grid]]\nseed = [0, 1]\n[[grid]]\nseed = [1]\n",
        r":3: A cell must not occur twice.*'seed': 1",
    ),
    "bad name": (with_line('"price"', '"a/b"'), r":1: `name` must begin"),
    "folder is a file": (with_line('"RUNS"', '"/dev/null"'), r":2: .*/dev/null is a file"),
    "inside a file": (with_line('"RUNS"', '"/dev/null/x"'), r":2: .*/dev/null is a file"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_name_the_line(case, tmp_path):
    text, message = BAD[case]
    path = write(tmp_path, text)
    with pytest.raises(StudyFileError, match=message) as caught:
        read_study(path)
    assert str(caught.value).startswith(f"{path}:")
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(study_file.os, "access", lambda path, mode: False)
    with pytest.raises(StudyFileError, match=r":2: `runs` must be a folder to write to"):
        read_study(write(tmp_path, GOOD))


def test_an_absent_file_or_a_folder(tmp_path):
    """The folder of a study is what one gives by mistake: `study status runs/price`."""
    for path, what in ((tmp_path / "absent.toml", "absent.toml, no file"), (tmp_path, "a folder")):
        with pytest.raises(FileNotFoundError, match=rf"`path` must be a study.*Received.*{what}"):
            read_study(path)
