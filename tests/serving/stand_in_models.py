"""Models that answer as a test wants it, without TensorFlow behind them."""

import threading
from contextlib import contextmanager

import numpy as np
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo

from zoo.protocol.version_status import VersionStatus
from zoo.serving.model_versions import not_found


class StandInModels:
    """One model, "slow", whose answers wait until they are let go.

    Attributes:
        begun: released once for every answer that is begun.
        let_go: answers wait for it.
        unloaded: a stop waits for it.
        error: raised instead of an answer, if set.
    """

    names = ("slow",)

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.let_go = threading.Event()
        self.error: Exception | None = None
        self.started = False
        self.load_error: BaseException | None = None
        self.unloaded = threading.Event()
        self.unloaded.set()

    def report_to(self, metrics):
        pass

    def start(self):
        self.started = True

    def stop(self):
        self.unloaded.wait(30)
        self.started = False

    def wait(self, seconds=None):
        if self.load_error:
            raise self.load_error

    def status(self, name, version=None):
        if name not in self.names:
            raise not_found(name, version)
        return [VersionStatus(3, "AVAILABLE")]

    @contextmanager
    def servable(self, name, version=None, label=None):
        if name not in self.names:
            raise not_found(name, version)
        yield _StandInServable(self)


class _StandInServable:
    name = "slow"
    version = 3

    def __init__(self, models: StandInModels):
        self._models = models
        inputs = {"numbers": TensorInfo(name="numbers:0", dtype=1)}
        self.signatures = {"serving_default": SignatureDef(inputs=inputs)}

    def predict(self, signature, inputs, output_filter=(), timeout_seconds=None):
        self._models.begun.release()
        if not self._models.let_go.wait(30):
            raise AssertionError("A test let nothing go.")
        if self._models.error is not None:
            raise self._models.error
        return "serving_default", {"doubled": 2 * np.asarray(inputs["numbers"])}
