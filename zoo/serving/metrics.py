"""What a server counts, as a page for Prometheus.

Counts that TF Serving has too go by its names, which begin with a colon, so that its
dashboards and alerts can be tried on a laptop.
"""

import bisect
import threading
from collections import Counter
from collections.abc import Callable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric

REQUEST_COUNT = ":tensorflow:serving:request_count"
REQUEST_LATENCY = ":tensorflow:serving:request_latency"
LOAD_ATTEMPTS = ":tensorflow:cc:saved_model:load_attempt_count"
BATCH_SIZE = "zoo_serving_batch_size"
IN_FLIGHT = "zoo_serving_requests_in_flight"
# Microseconds: ten, and each bound 1.8 times the one before, to about 20 minutes.
_LATENCY_BOUNDS = [10 * 1.8**index for index in range(32)]
_BATCH_BOUNDS = [2**index for index in range(13)]


class Metrics:
    """Counts of one server, in a registry of their own.

    A model's name becomes a label only if the server has the model: names that a
    client makes up would fill the memory.

    Args:
        in_flight: tells how many requests are under way.
    """

    def __init__(self, in_flight: Callable[[], int] = lambda: 0):
        self._in_flight = in_flight
        self._lock = threading.Lock()
        self._requests: Counter = Counter()
        self._loads: Counter = Counter()
        self._latencies: dict[tuple, _Histogram] = {}
        self._batches: dict[tuple, _Histogram] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def count_request(self, model: str, status: str) -> None:
        """Counts an answer.

        Args:
            model: its name; "" for a model that the server does not have.
            status: "OK", or gRPC's name of the error.
        """
        with self._lock:
            self._requests[model, status] += 1

    def time_request(self, model: str, api: str, port: str, seconds: float) -> None:
        """Notes how long an answer took that went well.

        Args:
            model: its name.
            api: "Predict", "Classify" or "Regress".
            port: "REST" or "GRPC".
        """
        self._note(self._latencies, (model, api, port), _LATENCY_BOUNDS, seconds * 1e6)

    def count_load(self, folder: str, status: str) -> None:
        """Counts an attempt to load a version, "success" or "fail"."""
        with self._lock:
            self._loads[folder, status] += 1

    def note_batch(self, model: str, size: int) -> None:
        """Notes how many examples a model was given at once."""
        self._note(self._batches, (model,), _BATCH_BOUNDS, size)

    def page(self) -> bytes:
        """All counts, in Prometheus' text format."""
        return generate_latest(self._registry)

    def _note(self, table: dict, labels: tuple, bounds: list, value: float) -> None:
        with self._lock:
            table.setdefault(labels, _Histogram(bounds)).add(value)

    def collect(self):
        """The registry asks for this."""
        with self._lock:
            # "unknown": the library would add "_total" to the name of a counter.
            yield _counts(
                REQUEST_COUNT, "Requests.", ("model_name", "status"), self._requests
            )
            yield _histograms(
                REQUEST_LATENCY,
                "Microseconds from a request to its answer.",
                ("model_name", "API", "entrypoint"),
                self._latencies,
            )
            yield _counts(
                LOAD_ATTEMPTS,
                "Attempts to load a version.",
                ("model_path", "status"),
                self._loads,
            )
            yield _histograms(
                BATCH_SIZE,
                "Examples that a model was given at once.",
                ("model_name",),
                self._batches,
            )
        gauge = Metric(IN_FLIGHT, "Requests under way.", "gauge")
        gauge.add_sample(IN_FLIGHT, {}, self._in_flight())
        yield gauge


class _Histogram:
    def __init__(self, bounds: list[float]):
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect.bisect_left(self.bounds, value)] += 1
        self.sum += value


def _counts(name: str, text: str, labels: tuple, table: Counter) -> Metric:
    metric = Metric(name, text, "unknown")
    for values, count in sorted(table.items()):
        metric.add_sample(name, dict(zip(labels, values, strict=True)), count)
    return metric


def _histograms(name: str, text: str, labels: tuple, table: dict) -> Metric:
    metric = Metric(name, text, "histogram")
    for values, histogram in sorted(table.items()):
        of = dict(zip(labels, values, strict=True))
        total = 0
        bounds = [f"{bound:g}" for bound in histogram.bounds] + ["+Inf"]
        for bound, count in zip(bounds, histogram.counts, strict=True):
            total += count
            metric.add_sample(name + "_bucket", {**of, "le": bound}, total)
        metric.add_sample(name + "_sum", of, histogram.sum)
        metric.add_sample(name + "_count", of, total)
    return metric
