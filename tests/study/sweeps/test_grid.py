import dataclasses
import itertools
from collections import Counter

import pytest

from sparsevae.study import RunSettings, make_study
from sparsevae.study.sweeps import grid as grids
from sparsevae.study.sweeps.grid import balanced

GRID = {
    "seed": [0, 1, 2],
    "strength": [10.0, 30.0, 100.0],
    "where": ["both", "decoder"],
    "beta": [1.0, 4.0],
}


def test_cells_are_all_combinations_each_in_a_folder_of_its_own(tmp_path):
    study = make_study(tmp_path / "study", {"data": "toy"}, [GRID])
    found = {tuple(getattr(cell, field) for field in GRID) for cell in study.cells}
    assert found == set(itertools.product(*GRID.values()))
    assert len({cell.name for cell in study.cells}) == len(study.cells) == 36
    assert {cell.data for cell in study.cells} == {"toy"}
    assert all("strength-" in cell.name and "where-" in cell.name for cell in study.cells)


def test_folders_keep_their_names_when_settings_gain_a_field(tmp_path, monkeypatch):
    names = [cell.name for cell in make_study(tmp_path, {"data": "toy"}, [GRID]).cells]

    @dataclasses.dataclass(frozen=True)
    class Later(RunSettings):
        added: int = 0

    monkeypatch.setattr(grids, "RunSettings", Later)
    later = make_study(tmp_path, {"data": "toy"}, [GRID]).cells
    assert [cell.name for cell in later] == names and later[0].added == 0


def test_cells_are_single_threaded_unless_they_say_so(tmp_path):
    grid = {"seed": [0]}
    assert make_study(tmp_path, {}, [grid]).cells[0].n_threads == 1
    assert make_study(tmp_path, {"n_threads": 4}, [grid]).cells[0].n_threads == 4


def test_every_beginning_is_balanced(tmp_path):
    cells = make_study(tmp_path, {}, [GRID]).cells
    assert [cell.seed for cell in cells] == sorted(cell.seed for cell in cells)
    for field in ("strength", "where", "beta"):
        for n in range(1, 13):
            used = Counter(getattr(cell, field) for cell in cells[:n])
            counts = [used[value] for value in GRID[field]]
            assert max(counts) - min(counts) <= 1, (field, n)
    pairs = Counter((cell.strength, cell.where) for cell in cells[:6])
    assert len(pairs) == 6


def test_order_does_not_depend_on_how_cells_come(tmp_path):
    cells = list(make_study(tmp_path, {}, [{"seed": [0, 1], "beta": [1.0, 2.0, 4.0]}]).cells)
    assert sorted(map(str, balanced(cells, ("seed", "beta")))) == sorted(map(str, cells))
    assert balanced(cells, ("seed", "beta")) == cells


def test_names_stay_when_a_field_joins_the_grid(tmp_path):
    """What has been run is found again, under the name that it has."""
    before = make_study(tmp_path, {"beta": 4.0}, [{"seed": [0, 1]}])
    for cell in before.cells:
        (tmp_path / cell.name).mkdir()
    after = make_study(tmp_path, {}, [{"seed": [0, 1, 2], "beta": [1.0, 4.0]}])
    names = {cell.name: cell for cell in after.cells}
    for cell in before.cells:
        assert names[cell.name] == cell
    assert len(names) == 6


def test_names_do_not_depend_on_fields_at_their_default(tmp_path):
    """So a field that joins the settings later, with a default, leaves names as they are."""
    grid = {"seed": [0, 1]}
    plain = make_study(tmp_path, {}, [grid])
    spelled = make_study(tmp_path, {"beta": RunSettings("a").beta}, [grid])
    assert plain.cells == spelled.cells


def test_lists_and_tables_vary_too(tmp_path):
    grid = {"metrics": [["mig"], ["sap"]], "gate_options": [{}, {"initial_density": 0.9}]}
    study = make_study(tmp_path, {}, [grid])
    assert len({cell.name for cell in study.cells}) == 4


def test_grids_stand_side_by_side(tmp_path):
    dense = {"gate": ["none"], "seed": [0, 1]}
    gated = {"gate": ["binary"], "strength": [1.0, 2.0], "seed": [0, 1]}
    study = make_study(tmp_path, {}, [dense, gated])
    assert len(study.cells) == 6 and study.varied == ("gate", "seed", "strength")


def test_a_cell_twice_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must not occur twice"):
        make_study(tmp_path, {}, [{"seed": [0, 1]}, {"seed": [1, 2]}])
    with pytest.raises(ValueError, match="at least one cell"):
        make_study(tmp_path, {}, [])


def test_a_study_can_be_sent_to_another_process(tmp_path):
    import pickle

    study = make_study(tmp_path, {}, [GRID])
    assert pickle.loads(pickle.dumps(study)) == study
    assert dataclasses.replace(study).name == tmp_path.name
