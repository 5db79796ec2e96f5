"""What a server counts, for Prometheus to read."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The figures of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.actions = Counter("opengato_actions", "Actions given", ["task"], registry=self.registry)
        self.refused = Counter("opengato_refused", "Requests refused", ["why"], registry=self.registry)
        self.recalled = Counter("opengato_recalled", "Episodes brought back by a client", registry=self.registry)
        self.sessions = Gauge("opengato_sessions", "Robots that have a seat", registry=self.registry)
        self.batch = Histogram("opengato_batch_rows", "Robots a pass", buckets=ROWS, registry=self.registry)
        self.act = Histogram("opengato_act_seconds", "Of a forward pass", buckets=SECONDS, registry=self.registry)
        self.wait = Histogram(
            "opengato_wait_seconds", "From a request to its pass", ["task"], buckets=SECONDS, registry=self.registry
        )

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
