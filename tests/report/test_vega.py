"""The script of the charts, made in another process or in this one."""

import sys

import pytest
import vl_convert

from sparsevae.report import vega


@pytest.fixture
def nothing_made():
    for made in (vega.prepare, vega.library):
        made.cache_clear()
    yield
    for made in (vega.prepare, vega.library):
        made.cache_clear()


@pytest.fixture(scope="module")
def expected():
    return vl_convert.javascript_bundle()


def test_another_process_makes_it(nothing_made, expected, monkeypatch):
    def not_here(*args):
        raise AssertionError("made in this process")

    monkeypatch.setattr(vl_convert, "javascript_bundle", not_here)
    assert vega.library() == expected


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/false"])
def test_made_here_where_no_process_can_make_it(python, nothing_made, expected, monkeypatch):
    monkeypatch.setattr(sys, "executable", python)
    assert vega.library() == expected
