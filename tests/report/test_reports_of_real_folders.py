"""What the commands leave behind, opened in a browser."""

import subprocess
import sys
from pathlib import Path

import pytest
from browser_tab import SIZES, column, pixels

SCRIPTS = Path(__file__).parents[2] / "scripts"
SMALL = ("--data", "toy", "--model", "conv", "--latent-dim", "4")
STUDY = """
name = "grid"
runs = "{runs}"
[fixed]
data = "toy"
model = "conv"
n_steps = 60
metrics = ["mig"]
[[grid]]
seed = [0, 1]
gate = ["none", "binary"]
"""

pytestmark = pytest.mark.slow


def command(*arguments):
    """Runs a script; its last lines name the page."""
    script, *more = map(str, arguments)
    done = subprocess.run([sys.executable, SCRIPTS / script, *more], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Pages of a run, a study and a search, by kind, as their commands leave them."""
    runs = tmp_path_factory.mktemp("real")
    target = ("--control", "target_density", "--target-density", "0.2", "--gate", "binary")
    steps = ("--n-steps", "60", "--runs", runs)
    said = {"run": command("train.py", "--name", "run", *SMALL, *target, *steps)}
    (runs / "grid.toml").write_text(STUDY.format(runs=runs.as_posix()), encoding="utf-8")
    said["grid"] = command("study.py", "run", runs / "grid.toml")
    few = ("--tuner", "random", "--gates", "binary", "--n-trials", "2", "--no-stop-hopeless")
    saved = ("--saved", runs / "saved")
    said["search"] = command("tune.py", "--name", "search", *SMALL, *steps, *few, *saved)
    found = {name: runs / name / "report.html" for name in said}
    assert all(str(page) in said[name] for name, page in found.items())
    return found


@pytest.mark.parametrize(("size", "scheme"), [("wide", "light"), ("phone", "dark")])
@pytest.mark.parametrize("kind", ["run", "grid", "search"])
def test_a_page_is_small_quick_and_quiet(open_page, pages, kind, size, scheme):
    assert pages[kind].stat().st_size < 10e6
    tab = open_page(pages[kind], SIZES[size], scheme)
    first_paint = tab.page.evaluate("performance.getEntriesByName('first-paint')[0].startTime")
    assert first_paint < 2000
    tab.check_quiet()


def test_what_is_touched_moves(open_page, pages):
    tab = open_page(pages["run"])
    before = pixels(tab.page, "decoded")
    tab.page.locator(".slider input").first.focus()
    tab.page.keyboard.press("End")
    assert pixels(tab.page, "decoded") != before
    latent = tab.page.locator(".pick").first.get_attribute("data-latent")
    tab.page.locator(".pick").first.click()
    assert f"latent {latent}" in tab.page.locator("#map-text").inner_text()
    assert "decoder_dense_1: " in tab.page.locator("#wired-text").inner_text()
    for kind, table in (("grid", "runs"), ("search", "trials")):
        tab = open_page(pages[kind])
        tab.page.locator(f"#{table} th[data-column='elbo'] button").press("Enter")
        texts = [text.replace("\N{MINUS SIGN}", "-") for text in column(tab.page, table, "elbo")]
        shown = [float(text) for text in texts if text != "–"]
        assert len(shown) > 1 and shown == sorted(shown)
        tab.check_quiet()
