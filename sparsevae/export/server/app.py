"""The ASGI app: routes, limits, metrics."""

import asyncio
import concurrent.futures
import contextlib

import numpy as np
import orjson
import prometheus_client
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from sparsevae.export.server import contract as contracts
from sparsevae.export.server.batching import Batcher
from sparsevae.export.server.bodies import read_body, read_images, to_npy
from sparsevae.export.server.contract import Contract
from sparsevae.export.server.limits import Admission, Limits, Refused
from sparsevae.export.server.measures import Measured, Measures
from sparsevae.export.server.model import Model

BINARY = ("application/octet-stream", "application/x-npy")
# curl -d, with which TensorFlow Serving's own examples are written, says it sends a form.
JSON = ("", "application/json", "application/x-www-form-urlencoded", "text/plain")

_LARGE = 2**18  # bytes of a body that is parsed in a thread, so that others are not held up


class App:
    """Handlers of one model's requests.

    Args:
        model: What computes.
        name: Of the model, in addresses.
        limits: Bounds of memory and time.
    """

    def __init__(self, model: Model, name: str, limits: Limits):
        self.contract = Contract(name, model.image_shape, model.latent_dim)
        self.limits, self.model = limits, model
        self.admission = Admission(limits)
        self.measures = Measures(lambda: self.admission.n_requests)
        self.closing = False
        self._compute = concurrent.futures.ThreadPoolExecutor(model.n_threads, "compute")
        self._parse = concurrent.futures.ThreadPoolExecutor(1, "parse")
        self._batchers = {
            signature: Batcher(
                lambda array, signature=signature: model.call(signature, array),
                self._compute,
                model.n_threads,
                limits.max_batch,
                self.measures.batch.observe,
            )
            for signature in ("encode", "decode", "reconstruct")
        }

    @contextlib.asynccontextmanager
    async def lifespan(self, _):
        """Warms the model up; after the last answer, ends the threads."""
        shape = self.contract.image_shape
        for n in (1, self.limits.max_batch):
            await asyncio.get_running_loop().run_in_executor(
                self._compute, self.model.call, "encode", np.zeros((n, *shape), np.float32)
            )
        yield
        self._compute.shutdown()
        self._parse.shutdown()

    async def predict(self, request: Request) -> Response:
        """`POST /v1/models/NAME:predict`."""
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        refusal = self._other_model(request) or _other_type(kind) or self.admission.full()
        if refusal:
            await read_body(request, self.limits, self.admission, refusal)
        with self.admission:
            body = await read_body(request, self.limits, self.admission)
            try:
                answer = self._predict_binary if kind in BINARY else self._predict_json
                return await answer(request, body)
            finally:
                self.admission.release(len(body))

    async def _predict_json(self, request, body):
        asked = await self._parsed(contracts.parse, body, self.contract)
        outputs = await self._batched(asked.signature, asked.array)
        return _json(contracts.predictions(outputs, asked.by_row))

    async def _predict_binary(self, request, body):
        images = await self._parsed(read_images, body, self.contract.image_shape)
        if len(images):
            outputs = await self._batched("encode", images)
        else:
            outputs = {"codes": np.zeros((0, self.contract.latent_dim), np.float32)}
        if "application/json" in request.headers.get("accept", ""):
            return _json(contracts.predictions(outputs, by_row=True))
        return Response(to_npy(outputs["codes"]), media_type="application/x-npy")

    async def _parsed(self, parse, body, *args):
        try:
            if len(body) < _LARGE:
                return parse(body, *args)
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._parse, parse, body, *args)
        except ValueError as error:
            raise Refused(400, str(error)) from error

    async def _batched(self, signature, array):
        self.measures.images.inc(len(array))
        outputs = await self._batchers[signature].compute(array, self.limits.timeout)
        for name, output in outputs.items():
            if not np.isfinite(output).all():  # JSON would say null
                raise Refused(500, f"The model gives NaN or infinite `{name}` for this request")
        return outputs

    async def other_verb(self, request: Request) -> Response:
        """`:classify` and `:regress`: the signatures here are for predict."""
        self._check_model(request)
        raise Refused(400, f"This model can only predict. Received: {request.url.path}")

    async def status(self, request: Request) -> Response:
        """`GET /v1/models/NAME`."""
        self._check_model(request)
        return _json(contracts.status("UNLOADING" if self.closing else "AVAILABLE"))

    async def metadata(self, request: Request) -> Response:
        """`GET /v1/models/NAME/metadata`."""
        self._check_model(request)
        return _json(contracts.metadata(self.contract))

    async def health(self, _: Request) -> Response:
        """`GET /healthz`: 200, or 503 once the server has been told to stop."""
        if self.closing:
            raise Refused(503, "The server is shutting down")
        return _json({"status": "ok"})

    async def metrics(self, _: Request) -> Response:
        """`GET /metrics`: Prometheus text."""
        text = prometheus_client.generate_latest(self.measures.registry)
        return Response(text, media_type=prometheus_client.CONTENT_TYPE_LATEST)

    def _check_model(self, request):
        if refusal := self._other_model(request):
            raise refusal

    def _other_model(self, request):
        name, version = request.path_params["name"], request.path_params.get("version", "1")
        if (name, version) == (self.contract.name, contracts.VERSION):
            return None
        return Refused(
            404,
            f"Servable not found. This server has {self.contract.name!r}, version "
            f"{contracts.VERSION}. Received: {name[:80]!r}, version {version[:80]!r}",
        )


def _other_type(kind):
    if kind in JSON + BINARY:
        return None
    types = " or ".join(("application/json", *BINARY))
    return Refused(415, f"Content-Type must be {types}. Received: {kind[:80]}")


def build_app(model: Model, name: str, limits: Limits | None = None) -> Starlette:
    """The ASGI app that serves one model; its handlers are at `app.state.handlers`.

    Args:
        model: What computes.
        name: Of the model, in addresses.
        limits: Bounds of memory and time.
    """
    handlers = App(model, name, limits or Limits())
    routes = []
    for base in ("/v1/models/{name}", "/v1/models/{name}/versions/{version}"):
        routes += [
            Route(f"{base}:predict", handlers.predict, methods=["POST"]),
            Route(f"{base}:classify", handlers.other_verb, methods=["POST"]),
            Route(f"{base}:regress", handlers.other_verb, methods=["POST"]),
            Route(f"{base}/metadata", handlers.metadata),
            Route(base, handlers.status),
        ]
    routes += [Route("/healthz", handlers.health), Route("/metrics", handlers.metrics)]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Measured, measures=handlers.measures)],
        lifespan=handlers.lifespan,
        exception_handlers={
            Refused: _refused,
            HTTPException: _http_exception,
            ClientDisconnect: _gone,
            Exception: _failed,
        },
    )
    app.router.redirect_slashes = False
    app.state.handlers = handlers
    return app


def _json(value, status=200, headers=None):
    body = value if isinstance(value, bytes) else orjson.dumps(value)
    return Response(body, status, headers, "application/json")


def _error(status, message, headers=None):
    return _json({"error": message}, status, headers)


async def _refused(_, refused):
    return _error(refused.status, refused.message, refused.headers)


async def _http_exception(request, error):
    message = f"{error.detail}: {request.method} {request.url.path[:200]}"
    return _error(error.status_code, message, error.headers)


async def _gone(*_):
    return _error(499, "The client closed the connection")  # read by the metrics alone


async def _failed(*_):
    return _error(500, "The server failed; its log has the reason")
