"""What Prometheus reads about a server."""

import time
from collections.abc import Callable

import prometheus_client as prometheus


class Measures:
    """Counters and histograms of one app, in a registry of their own.

    Args:
        n_requests: Gives the number of predict requests being served.
    """

    def __init__(self, n_requests: Callable[[], int]):
        self.registry = registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=registry)  # memory, CPU time, open files
        self.requests = prometheus.Counter(
            "sparsevae_requests", "Requests answered.", ("endpoint", "status"), registry=registry
        )
        self.seconds = prometheus.Histogram(
            "sparsevae_request_seconds", "Time to answer.", ("endpoint",), registry=registry
        )
        self.images = prometheus.Counter(
            "sparsevae_images", "Images and codes received.", registry=registry
        )
        self.batch = prometheus.Histogram(
            "sparsevae_batch_images",
            "Images in one call of the model.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
            registry=registry,
        )
        prometheus.Gauge(
            "sparsevae_requests_in_progress", "Requests being served.", registry=registry
        ).set_function(n_requests)


class Measured:
    """ASGI middleware that counts and times every request."""

    def __init__(self, app, measures: Measures):
        self.app, self.measures = app, measures

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def count(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, count)
        finally:
            endpoint = getattr(scope.get("endpoint"), "__name__", "none")  # set by the router
            self.measures.requests.labels(endpoint, status).inc()
            self.measures.seconds.labels(endpoint).observe(time.perf_counter() - start)
