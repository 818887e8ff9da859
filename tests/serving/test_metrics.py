import pytest
from prometheus_client.parser import text_string_to_metric_families

from zoo.serving.metrics import (
    BATCH_SIZE,
    IN_FLIGHT,
    LOAD_ATTEMPTS,
    REQUEST_COUNT,
    REQUEST_LATENCY,
    Metrics,
)


def _samples(metrics):
    families = text_string_to_metric_families(metrics.page().decode("utf-8"))
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def test_requests_are_counted_by_model_and_status():
    metrics = Metrics()
    for status in ("OK", "OK", "NOT_FOUND"):
        metrics.count_request("tiny", status)
    found = _samples(metrics)
    assert found[REQUEST_COUNT, ("model_name", "tiny"), ("status", "OK")] == 2
    assert found[REQUEST_COUNT, ("model_name", "tiny"), ("status", "NOT_FOUND")] == 1


def test_latencies_are_a_histogram_in_microseconds():
    metrics = Metrics()
    for seconds in (5e-6, 10e-6, 11e-6, 10_000):
        metrics.time_request("tiny", "Predict", "REST", seconds)
    found = _samples(metrics)
    labels = (("API", "Predict"), ("entrypoint", "REST"))
    of = (("model_name", "tiny"),)
    buckets = {
        bound: found[(REQUEST_LATENCY + "_bucket", *labels, ("le", bound), *of)]
        for bound in ("10", "18", "+Inf")
    }
    assert buckets == {"10": 2, "18": 3, "+Inf": 4}
    assert found[(REQUEST_LATENCY + "_count", *labels, *of)] == 4
    total = found[(REQUEST_LATENCY + "_sum", *labels, *of)]
    assert total == pytest.approx(10_000_000_026)


def test_loads_batches_and_requests_under_way_are_shown():
    metrics = Metrics(lambda: 3)
    metrics.count_load('/models/"a"', "success")
    metrics.note_batch("tiny", 5)
    found = _samples(metrics)
    assert (
        found[LOAD_ATTEMPTS, ("model_path", '/models/"a"'), ("status", "success")] == 1
    )
    assert found[BATCH_SIZE + "_bucket", ("le", "4"), ("model_name", "tiny")] == 0
    assert found[BATCH_SIZE + "_bucket", ("le", "8"), ("model_name", "tiny")] == 1
    assert found[(IN_FLIGHT,)] == 3


def test_names_that_tf_serving_has_are_written_as_it_writes_them():
    metrics = Metrics()
    metrics.count_request("tiny", "OK")
    page = metrics.page().decode("utf-8")
    line = ':tensorflow:serving:request_count{model_name="tiny",status="OK"} 1.0'
    assert line in page.splitlines()
