"""A server for one machine: REST and gRPC on two ports of one process.

It speaks as TF Serving does and is not TF Serving: it is for laptops, tests and
demonstrations. It has no encryption and asks nobody who they are, so it listens where
only its own machine can reach it, unless told otherwise.
"""

import contextlib
import errno
import logging
import socket
import threading
import time

import grpc
import uvicorn
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from zoo.serving.daemon_threads import DaemonThreads
from zoo.serving.grpc_services import ModelService, PredictionService
from zoo.serving.metrics import Metrics
from zoo.serving.models import Models
from zoo.serving.rest import rest_app
from zoo.serving.workers import Limits, Workers

# Threads beside those of requests that may be under way: for states and metadata, and
# to tell those that are too many so.
_SPARE_THREADS = 8
# Seconds that a connection may lie idle between two requests.
_KEEP_ALIVE = 75
# Seconds beyond its grace that a stop takes at most.
_LAST_SECONDS = 0.6
_log = logging.getLogger(__name__)


class Server:
    """Both interfaces of a set of models.

    Usable in a `with` statement, which starts and stops it. It handles no signals.

    Args:
        models: what is served; started and stopped with the server.
        host: the address to listen at.
        rest_port: of the REST interface; 0 for any that is free.
        grpc_port: of the gRPC interface; 0 for any that is free.
        limits: what is accepted.

    Attributes:
        rest_port, grpc_port: where it listens, once it is started.
        metrics: what it counts.
        ready: whether it answers.
    """

    def __init__(
        self,
        models: Models,
        host: str = "127.0.0.1",
        rest_port: int = 8501,
        grpc_port: int = 8500,
        limits: Limits | None = None,
    ):
        self.host = host
        self.rest_port = rest_port
        self.grpc_port = grpc_port
        self.ready = False
        self._models = models
        self._limits = limits or Limits()
        self._workers = Workers(self._limits)
        self.metrics = Metrics(lambda: self._workers.in_flight)
        models.report_to(self.metrics)
        self._grpc: grpc.Server | None = None
        self._rest: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._threads = DaemonThreads(
            self._limits.max_requests_in_flight + _SPARE_THREADS, "grpc"
        )

    def start(self, load_seconds: float | None = None) -> "Server":
        """Takes the ports, loads the models, then answers.

        Args:
            load_seconds: the longest that loading may take; without an end if none.

        Raises:
            OSError: a port is not free.
            ServingError: a model does not load.
        """
        listener = self._listener()
        try:
            self._grpc = self._grpc_server()
            self._models.start()
            self._models.wait(load_seconds)
            self._grpc.start()
            self._serve_rest(listener)
        except BaseException as error:
            listener.close()
            if self._grpc is not None:
                # Only one that was started gives its port back.
                with contextlib.suppress(ValueError):
                    self._grpc.start()
            # Who interrupts a load does not wait for its end.
            self.stop() if isinstance(error, Exception) else self.stop(0)
            raise
        self.ready = True
        return self

    def stop(self, grace: float = 10.0) -> int:
        """Refuses new requests, lets those under way end, and unloads the models.

        It takes a second more than its grace at most. What a model computes cannot be
        broken off: what is given up goes on in threads that die with the process, and
        so does a load that is under way.

        Args:
            grace: seconds after which requests under way are given up.

        Returns:
            How many requests were given up.
        """
        end = time.monotonic() + grace
        last = end + _LAST_SECONDS
        self.ready = False
        self._workers.refuse()
        stopped = self._grpc.stop(grace) if self._grpc else None
        if self._rest is not None:
            self._rest.config.timeout_graceful_shutdown = grace
            self._rest.should_exit = True
        given_up = self._workers.wait(_left(end))
        if given_up:
            _log.warning("%s requests are given up after %g s", given_up, grace)
        if self._thread is not None:
            self._thread.join(_left(last))
        if stopped is not None:
            stopped.wait(_left(last))
        self._workers.close()
        self._threads.close()
        self._unload(last if given_up else end)
        return given_up

    def _unload(self, end: float) -> None:
        """Ends the models, which may be loading or computing."""
        unloading = threading.Thread(
            target=self._models.stop, daemon=True, name="unload"
        )
        unloading.start()
        unloading.join(max(_left(end), _LAST_SECONDS / 2))
        if unloading.is_alive():
            _log.warning("Models are left as they are: they still load or compute")

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(self, *error) -> None:
        self.stop()

    def _listener(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        # With the protocol named, asyncio sends answers without waiting to join them.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.host, self.rest_port))
        except OSError as error:
            listener.close()
            raise self._not_free("rest_port", self.rest_port, error) from error
        self.rest_port = listener.getsockname()[1]
        return listener

    def _grpc_server(self) -> grpc.Server:
        # gRPC's own limit of calls says RESOURCE_EXHAUSTED, which nobody tries again.
        # Without it calls wait for a thread, and the threads that are spare tell those
        # that are too many that they may come again.
        server = grpc.server(
            self._threads,
            options=[
                # Two servers on one port would share its requests.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", self._limits.max_body_bytes),
                ("grpc.max_send_message_length", -1),
            ],
        )
        prediction = PredictionService(self._models, self._workers, self.metrics)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            prediction, server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(self._models), server
        )
        host = f"[{self.host}]" if ":" in self.host else self.host
        try:
            self.grpc_port = server.add_insecure_port(f"{host}:{self.grpc_port}")
        except RuntimeError as error:
            raise self._not_free("grpc_port", self.grpc_port, error) from error
        return server

    def _serve_rest(self, listener: socket.socket) -> None:
        config = uvicorn.Config(
            rest_app(self._models, self._workers, self.metrics),
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            headers=[("Server", "attention-zoo")],
            timeout_keep_alive=_KEEP_ALIVE,
        )
        self._rest = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._rest.run, args=([listener],), daemon=True, name="rest"
        )
        self._thread.start()
        while not self._rest.started:
            if not self._thread.is_alive():
                raise RuntimeError("The REST interface did not start.")
            time.sleep(0.005)

    def _not_free(self, argument: str, port: int, error: Exception) -> OSError:
        number = getattr(error, "errno", None) or errno.EADDRINUSE
        return OSError(
            number,
            f"Port {port} of {self.host} cannot be had ({error}). Stop what listens "
            f"there, or pass another {argument}; 0 takes any that is free",
        )


def _left(end: float) -> float:
    return max(0.0, end - time.monotonic())
