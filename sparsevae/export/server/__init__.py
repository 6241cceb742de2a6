"""HTTP server of an export: the REST contract of TensorFlow Serving, and binary bodies.

In: a folder of `export.save`. Out: an ASGI app, or a running server.
May import starlette, uvicorn, orjson, prometheus_client (the extra `serve`), and of this package
what needs nothing of the training side.
"""

from sparsevae.export.server.app import build_app
from sparsevae.export.server.limits import Limits
from sparsevae.export.server.run import serve

__all__ = ["Limits", "build_app", "serve"]
