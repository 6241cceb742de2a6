"""What matters first of a run, a card each."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from sparsevae.report.run_folder import RunFolder, number
from sparsevae.report.score_questions import score_rows

_N_SCORES = 4


@dataclasses.dataclass(frozen=True)
class Card:
    """A number and what it is.

    Attributes:
        label, value, detail: Texts.
        twin: The dense twin's value, a text; None if there is none.
        filled, mark, ceiling: Of a share, in [0, 1]: the value, the twin's, the largest possible.
        ceiling_text: The latter as text.
    """

    label: str
    value: str | None
    detail: str
    twin: str | None = None
    filled: float | None = None
    mark: float | None = None
    ceiling: float | None = None
    ceiling_text: str | None = None


def summary_cards(run: RunFolder, twin: Mapping[str, Any] | None) -> list[Card]:
    """ELBO, active latents, density, and the scores nearest to their ceilings.

    Args:
        run: As of `read_run`.
        twin: Record of its dense twin, if there is one.
    """
    measured, other = run.measured(), dict(twin or {})
    cards = [
        _card("ELBO", "elbo", measured, other, _terms(run)),
        _card("Active latents", "active_latents", measured, other, _of(run), digits=0),
    ]
    if "density" in measured:
        cards.append(
            _share("Density", measured["density"], other.get("density"), "of all links are open")
        )
    if "effective_density" in measured:
        detail = "of all links lie on a path from input to output"
        cards.append(_share("Effective density", measured["effective_density"], None, detail))
    scores = run.record.get("scores") or {}
    rows = [row for row in score_rows(scores) if row["share"] is not None]
    for row in sorted(rows, key=lambda row: -row["share"])[:_N_SCORES]:
        theirs = number((other.get("scores") or {}).get(row["name"]))
        cards.append(_share(row["name"], row["value"], theirs, row["question"], row["ceiling"]))
    return [card for card in cards if card.value is not None]


def _card(label, name, measured, other, detail, digits=2):
    return Card(label, _text(measured.get(name), digits), detail, _text(other.get(name), digits))


def _text(value, digits):
    known = number(value)
    return None if known is None else f"{known:,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _share(label, value, theirs, detail, ceiling=None):
    theirs = number(theirs)
    return Card(
        label=label,
        value=_text(value, 3),
        detail=detail,
        twin=_text(theirs, 3),
        filled=_clipped(value),
        mark=_clipped(theirs),
        ceiling=_clipped(ceiling),
        ceiling_text=_text(ceiling, 3),
    )


def _clipped(value):
    return None if value is None else min(max(float(value), 0.0), 1.0)


def _terms(run):
    measured, when = run.measured(), "" if run.is_complete else ", last epoch of training"
    known = [_text(measured.get(name), 2) for name in ("reconstruction", "kl")]
    if None in known:
        return f"nats per image{when}"
    return f"nats per image{when}: reconstruction {known[0]}, KL {known[1]}"


def _of(run):
    n_latents = run.settings.get("latent_dim")
    return f"of {n_latents} latents carry information" if n_latents else ""
