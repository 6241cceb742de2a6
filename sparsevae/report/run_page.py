"""The page of a run."""

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sparsevae.report.control_phases import control_phases
from sparsevae.report.curves import training_charts
from sparsevae.report.embedding import png_address
from sparsevae.report.rendering import rendered
from sparsevae.report.run_folder import RunFolder, number, read_run
from sparsevae.report.score_questions import score_rows
from sparsevae.report.summary_cards import summary_cards
from sparsevae.report.twins import dense_twin
from sparsevae.report.vega import prepare

_SCRIPTS = ("page", "charts", "decoder", "explorer", "wiring", "masks")
_ALT = {
    "reconstructions": "Images of the set above, their reconstructions below.",
    "traversals": "One row a latent, most used first: the decoded image while it moves.",
    "masks": "One heat map a layer: dark links are open.",
    "mask_evolution": "Which links of each layer are open, over the steps of training.",
    "wiring": "The live channels of the model and the strongest links between them.",
}
_LARGEST_PICTURE = 1_500_000  # bytes


def run_page(folder: str | Path, live: str = "") -> str:
    """The page of a run, whole or not, as HTML.

    Args:
        folder: Of the run.
        live: Version of a page that looks for newer ones of itself; empty for a file.
    """
    prepare()
    run = read_run(folder)
    missing = list(run.missing)
    views = _views(run, missing)
    found = dense_twin(run.folder, run.settings)
    planned = number(run.record.get("n_steps_planned") or run.settings.get("n_steps"))
    charts = training_charts(run.history, control_phases(run.settings, int(planned or 0)))
    return rendered(
        "run.html",
        {"charts": [chart.spec for chart in charts], **views},
        _SCRIPTS,
        live=live,
        title=run.name,
        run=run,
        state=_state(run),
        about=_about(run.settings),
        missing=missing,
        cards=summary_cards(run, found[1] if found else None),
        twin=found[0] if found else None,
        charts=charts,
        scores=score_rows(run.record.get("scores") or {}),
        findings=_findings(run.record),
        analyses=_analyses(run.analyses),
        pictures=_pictures(run, missing, {name for name, view in views.items() if view}),
        settings={name: _text(value) for name, value in run.settings.items()},
        views=views,
        made=datetime.datetime.now().strftime("%Y-%m-%d %H:%M"),
    )


def _views(run: RunFolder, missing: list[str]) -> dict[str, Any]:
    """What looks into the model; where there is none, or a part fails, `missing` says why."""
    none = {"explorer": None, "wiring": None, "masks": None, "source": ""}
    # They load TensorFlow, which a page of a study does without.
    from sparsevae.report import latent_explorer, trained_model, wiring_explorer

    model = _attempt(lambda: trained_model.trained_model(run), "The model", missing)
    if model is None:
        return none
    missing += model.missing
    makers: dict[str, tuple[str, Callable]] = {
        "explorer": ("The latent explorer", latent_explorer.latent_explorer),
        "wiring": ("The wiring", wiring_explorer.wiring_explorer),
        "masks": ("Masks", wiring_explorer.masks_of),
    }
    found = {
        name: _attempt(lambda make=make: make(model), what, missing)
        for name, (what, make) in makers.items()
    }
    return {**none, **found, "source": model.source}


def _attempt(make, what, missing):
    """What `make` gives; None and a sentence where a damaged or foreign file defeats it."""
    try:
        return make()
    except Exception as error:  # of Keras, TensorFlow and zipfile: a page is not to fail by one
        reason = " ".join(str(error).split())[:300]
        missing.append(f"{what} cannot be shown: {reason or type(error).__name__}")
        return None


def _state(run: RunFolder) -> str:
    n_steps = number(run.settings.get("n_steps"))
    if run.is_complete:
        return f"complete, {run.step:,} steps"
    of = f" of {n_steps:,.0f}" if n_steps else ""
    return f"{'failed' if run.failure else 'not complete'}, step {run.step:,}{of}"


def _about(settings: dict) -> str:
    """The main settings as a line."""
    parts = [settings.get("data"), settings.get("model")]
    if settings.get("objective", "beta_vae") == "beta_vae" and "beta" in settings:
        parts.append(f"β = {_text(settings['beta'])}")
    else:
        parts.append(settings.get("objective"))
    gate = settings.get("gate")
    parts.append("dense" if gate == "none" else gate)
    if gate not in ("none", "l1_weights", None):
        parts.append(settings.get("control"))
    return " · ".join(str(part) for part in parts if part)


def _findings(record: dict) -> list[dict]:
    given = record.get("findings")
    found = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return [
        {
            "name": str(one.get("name", "")).replace("_", " "),
            "layer": one.get("layer"),
            "step": one.get("step"),
            "evidence": one["evidence"] if isinstance(one.get("evidence"), dict) else {},
            "remedy": one.get("remedy", ""),
        }
        for one in found
    ]


def _analyses(analyses: dict[str, dict]) -> list[dict]:
    """Numbers and tables of each analysis, for HTML."""
    found = []
    for name, one in analyses.items():
        numbers = one.get("numbers") if isinstance(one.get("numbers"), dict) else {}
        tables = one.get("tables") if isinstance(one.get("tables"), dict) else {}
        found.append(
            {
                "name": name.replace("_", " "),
                "numbers": {k: v for k, v in numbers.items() if not isinstance(v, dict)},
                "tables": {k: _table(rows) for k, rows in tables.items() if _is_table(rows)},
            }
        )
    return found


def _is_table(rows):
    return isinstance(rows, list) and bool(rows) and all(isinstance(row, dict) for row in rows)


def _table(rows):
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return {"columns": columns, "rows": [[row.get(name) for name in columns] for row in rows]}


def _pictures(run: RunFolder, missing: list[str], drawn: set[str]) -> list[dict]:
    found = []
    for name, content in run.pictures.items():
        if name in drawn:  # from the model
            continue
        if len(content) > _LARGEST_PICTURE:
            missing.append(f"pictures/{name}.png is too large for this page.")
            continue
        found.append({"name": name, "address": png_address(content), "alt": _ALT[name]})
    return found


def _text(value):
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return "–" if value is None else str(value)
