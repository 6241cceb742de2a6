"""Templates, styles and scripts into one HTML file."""

import functools
import math
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from sparsevae.report.embedding import script_code, script_json
from sparsevae.report.run_folder import number
from sparsevae.report.vega import library

_HERE = Path(__file__).parent


def rendered(template: str, data: dict[str, Any], scripts: tuple[str, ...], **context: Any) -> str:
    """A page.

    Args:
        template: Name of a file in `templates`.
        data: What the page's scripts need, by the id of its script tag.
        scripts: Names of files in `static` without `.js`, in order.
        **context: Variables of the template.
    """
    needs_charts = "charts" in scripts
    code = [(_HERE / "static" / f"{name}.js").read_text("utf-8") for name in scripts]
    return (
        _templates()
        .get_template(template)
        .render(
            **context,
            style=Markup((_HERE / "static" / "page.css").read_text("utf-8")),
            data={name: Markup(script_json(value)) for name, value in data.items()},
            library=Markup(script_code(library())) if needs_charts else "",
            code=Markup(script_code("\n".join(code))),
        )
    )


@functools.cache
def _templates():
    loader = jinja2.FileSystemLoader(_HERE / "templates")
    found = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"number": shown, "percent": percent}
    return found


def shown(value: Any, digits: int = 4) -> str:
    """A number to so many digits, a dash for none; text as it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    known = number(value)
    if known is None:
        return "–"
    if known == int(known) and abs(known) < 1e15:
        text = f"{int(known):,}"
    elif abs(known) >= 1000:
        text = f"{known:,.{max(digits - 1 - int(math.log10(abs(known))), 0)}f}"
    else:
        text = f"{known:.{digits}g}"
    return text.replace("-", "\N{MINUS SIGN}")


def percent(value: Any) -> str:
    """A share as a length of CSS."""
    return f"{100 * min(max(number(value) or 0.0, 0.0), 1.0):.2f}%"
