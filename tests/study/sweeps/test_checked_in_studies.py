"""The studies that come with the project can be run, and refer to each other's runs rightly."""

from pathlib import Path

import pytest

from sparsevae.study.sweeps.study_file import read_study

STUDIES = Path(__file__).parents[3] / "studies"


def names(file):
    return {cell.name for cell in read_study(STUDIES / file).cells}


def digests(file):
    return {name.rpartition("_")[2] for name in names(file)}


@pytest.mark.parametrize("file", [path.name for path in STUDIES.glob("*.toml")])
def test_each_is_a_study(file):
    assert len(names(file)) > 20


def test_records_of_the_arena_are_of_its_runs():
    kept = {path.name.rpartition("_")[2] for path in (STUDIES / "arena").iterdir()}
    assert kept and kept <= digests("arena.toml")


def test_masks_are_taken_from_runs_of_the_study():
    cells = read_study(STUDIES / "density.toml").cells
    sources = {Path(cell.mask_from) for cell in cells if cell.mask_from}
    assert sources and sources <= {Path("runs/density", name) for name in names("density.toml")}


def test_the_first_look_is_a_part_of_the_study():
    assert digests("first_look.toml") <= digests("density.toml")
