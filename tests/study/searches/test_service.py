"""Which workers count as lost, without any process: the clock and the heartbeats are made up."""

import pytest

from sparsevae.study.searches import service
from sparsevae.study.searches.service import Pulse


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(service.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def beat(tmp_path):
    (tmp_path / service.FOLDER).mkdir()
    return lambda number: (tmp_path / service.FOLDER / "tuner0").write_text(f"7 {number}\n")


def test_a_worker_is_lost_after_its_patience_of_silence(tmp_path, clock, beat):
    pulse = Pulse(tmp_path, patience=10.0)
    beat(0)
    assert pulse.lost(["tuner0"]) == []
    clock[0] += 9
    assert pulse.lost(["tuner0"]) == []
    beat(1)
    clock[0] += 9
    assert pulse.lost(["tuner0"]) == []  # heard of, at this look
    clock[0] += 11
    assert pulse.lost(["tuner0"]) == ["tuner0"]
    pulse.forget("tuner0")
    assert pulse.lost(["tuner0"]) == []
    clock[0] += 11
    assert pulse.lost(["tuner0"]) == ["tuner0"]


def test_one_that_never_gave_a_sign_of_life_is_lost_too(tmp_path, clock):
    pulse = Pulse(tmp_path, patience=10.0)
    assert pulse.lost(["tuner0"]) == []
    clock[0] += 11
    assert pulse.lost(["tuner0"]) == ["tuner0"]
