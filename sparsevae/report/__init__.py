"""One page that explains a run, a study or a search.

In: the folder of one, whole or not. Out: one HTML file that needs nothing else.
May import: study and all below; jinja2, altair and vl-convert, of the extra `report`.
"""

from sparsevae.report.kinds import kind_of
from sparsevae.report.live import serve_report
from sparsevae.report.vega import prepare
from sparsevae.report.writing import write_report

__all__ = ["kind_of", "prepare", "serve_report", "write_report"]
