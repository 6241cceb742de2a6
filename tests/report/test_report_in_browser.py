"""Pages in a browser: no error, no request, and what moves when something is touched.

Skipped where chromium is missing; axe-core's `axe.min.js` is looked for at SPARSEVAE_AXE.
"""

import os
from pathlib import Path

import keras
import numpy as np
import pytest
from browser_tab import SIZES, column, pixels
from decoders_of_all_builders import BUILDERS

from sparsevae import records
from sparsevae.report import write_report
from sparsevae.report.decoder_program import decoder_program
from sparsevae.report.embedding import script_json
from sparsevae.sparsity import harden

STATIC = Path(__file__).parents[2] / "sparsevae" / "report" / "static"


def test_a_slider_changes_the_picture(open_page, page):
    tab = open_page(page)
    slider = tab.page.locator(".slider input").first
    before = pixels(tab.page, "decoded")
    slider.focus()
    tab.page.keyboard.press("End")
    assert pixels(tab.page, "decoded") != before
    assert tab.page.locator(".slider output").first.inner_text() == "3.00"
    tab.page.locator("#zero").press("Enter")
    tab.page.locator("[data-start='2']").click()
    assert pixels(tab.page, "decoded") != before
    first_paint = tab.page.evaluate("performance.getEntriesByName('first-paint')[0].startTime")
    assert first_paint < 2000
    tab.check_quiet()


def test_a_click_in_the_wiring_shows_channels_and_pixels(open_page, page):
    tab = open_page(page)
    for latent in (2, 0):
        tab.page.locator(f".pick[data-latent='{latent}']").click()
        assert f"latent {latent}" in tab.page.locator("#map-text").inner_text()
        assert "decoder_dense_1: " in tab.page.locator("#wired-text").inner_text()
        assert f"latent {latent}" in tab.page.locator("#diagram").text_content()
        assert tab.page.locator("#diagram circle").count() > 10
    tab.check_quiet()


def test_charts_zoom_by_keys_buttons_and_mouse(open_page, page):
    tab = open_page(page)
    ends = "[charts[0].signal('x_from'), charts[0].signal('x_to')]"
    low, high = tab.page.evaluate(ends)
    place = tab.page.locator(".drawing").first
    place.focus()
    tab.page.keyboard.press("+")
    closer = tab.page.evaluate(ends)
    assert low < closer[0] < closer[1] < high
    tab.page.keyboard.press("0")
    assert tab.page.evaluate(ends) == [low, high]
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    tab.page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 60)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 60, steps=3)
    tab.page.mouse.up()
    dragged = tab.page.evaluate(ends)
    assert low < dragged[0] < dragged[1] < high
    tab.page.locator("[data-zoom='all']").first.click()
    assert tab.page.evaluate(ends) == [low, high]
    tab.check_quiet()


def test_zoomed_to_where_no_phase_has_room_for_its_name_it_is_quiet(open_page, page):
    tab = open_page(page)
    zoom = "charts[0].signal('x_from', 11.9).signal('x_to', 11.91).runAsync()"
    tab.page.evaluate(f"async () => {{ await {zoom}; }}")
    tab.check_quiet()


def test_tables_sort_and_filter(open_page, study, tmp_path):
    tab = open_page(write_report(study, tmp_path / "page.html"))
    head = tab.page.locator("#runs th[data-column='elbo'] button")
    for turn in (1, -1):
        head.press("Enter")
        texts = column(tab.page, "runs", "elbo")[:11]  # what is not known stands last
        shown = [float(text.replace("\N{MINUS SIGN}", "-")) for text in texts]
        assert shown == sorted(shown, reverse=turn < 0)
    tab.page.locator("[data-find='runs']").fill("continuous_0.5 seed")
    assert set(column(tab.page, "runs", "gate")) == {"continuous"}
    assert tab.page.locator("#runs-count").inner_text() == "2 of 12"
    tab.page.locator("[data-find='runs']").fill("")
    tab.page.locator("[data-choose='runs'][data-column='gate']").select_option("none")
    assert column(tab.page, "runs", "gate") == ["none", "none"]
    tab.page.locator("[data-measure]").select_option("mig")
    assert tab.page.evaluate("charts[0].signal('measure')") == "mig"
    tab.page.locator("[data-series] input").first.uncheck()
    assert len(tab.page.evaluate("charts[0].signal('shown')")) == 2
    while tab.page.locator("[data-series] input:checked").count():
        tab.page.locator("[data-series] input:checked").first.uncheck()
    assert not tab.page.locator(".drawing > div").first.is_visible()
    tab.page.locator("[data-series] input").first.check()
    assert tab.page.locator(".drawing > div").first.is_visible()
    tab.check_quiet()


def test_the_decoder_of_a_page_gives_what_keras_gives(open_page, page):
    tab = open_page(page)
    rng = np.random.default_rng(0)
    for name, build in BUILDERS.items():
        vae = build()
        for variable in vae.decoder.weights:  # biases too are not 0
            values = keras.ops.convert_to_numpy(variable)
            variable.assign(np.float16(values + rng.normal(scale=0.1, size=values.shape)))
        codes = rng.normal(size=(3, vae.latent_dim)).astype(np.float32)
        expected = vae.decode(codes).mean().numpy().reshape(3, -1)
        program = script_json(decoder_program(harden(vae).decoder, "sigmoid"))
        code = f"codes => codes.map((z) => [...decoder.decoderOf({program})(z)])"
        found = tab.page.evaluate(code, codes.tolist())
        np.testing.assert_allclose(found, expected, atol=2e-5, err_msg=name)


@pytest.mark.parametrize(("size", "scheme"), [("wide", "light"), ("phone", "dark")])
@pytest.mark.parametrize("kind", ["trained", "study", "search"])
def test_axe_finds_no_serious_fault(open_page, request, tmp_path, kind, size, scheme):
    axe = os.environ.get("SPARSEVAE_AXE")
    if not axe:
        pytest.skip("needs the axe.min.js of axe-core at SPARSEVAE_AXE")
    path = write_report(request.getfixturevalue(kind), tmp_path / "page.html")
    tab = open_page(path, SIZES[size], scheme)
    assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tab.check_quiet()
    tab.page.evaluate(Path(axe).read_text(encoding="utf-8"))
    found = tab.page.evaluate("axe.run()")["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in serious] == []


def test_light_and_dark_may_be_chosen(open_page, page):
    tab = open_page(page, scheme="dark")
    color = "getComputedStyle(document.body).backgroundColor"
    dark = tab.page.evaluate(color)
    tab.page.locator("#theme").click()
    assert tab.page.evaluate(color) == "rgb(255, 255, 255)" != dark
    tab.page.locator("#theme").click()  # which files of one browser share
    assert tab.page.evaluate(color) == dark
    tab.page.evaluate("localStorage.clear()")


def test_names_with_html_in_them_do_nothing(open_page, study, tmp_path):
    """Neither in tables nor in what charts show near the mouse."""
    name = "<img src=x onerror=alert(1)>"
    folder = tmp_path / name
    for k, part in enumerate(("seed-0_binary_0.1", "seed-1_binary_0.1")):
        record = records.read_record(study / part)
        record["settings"] |= {"control": name, "data": f"{name}{k}"}
        record["scores"][name] = 0.5
        records.write_record(folder / f"{name}{k}", record)
    tab = open_page(write_report(folder, tmp_path / "page.html"))
    assert tab.page.locator("h1").inner_text() == name
    assert name in tab.page.locator("#runs").inner_text()
    tab.page.locator(".drawing .mark-symbol path").first.hover()
    shown = tab.page.locator("#vg-tooltip-element")
    shown.wait_for()
    assert name in shown.inner_text()
    assert tab.page.locator("img").count() == 0
    tab.check_quiet()


def test_pictures_made_beforehand_move_too(open_page, run_folder, monkeypatch):
    monkeypatch.setattr("sparsevae.report.latent_explorer.latent_explorer.__defaults__", (10,))
    tab = open_page(write_report(run_folder))
    assert "Pictures made beforehand" in tab.page.locator("main").inner_text()
    tab.page.wait_for_timeout(100)  # until its pictures are decoded
    before = pixels(tab.page, "decoded")
    tab.page.locator(".slider input").first.focus()
    tab.page.keyboard.press("End")
    assert pixels(tab.page, "decoded") != before
    tab.check_quiet()
