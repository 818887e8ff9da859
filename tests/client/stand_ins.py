"""Small servers that answer what a test tells them, and misbehave on purpose."""

import json
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import numpy as np

from zoo.client.messages import message
from zoo.client.tensor_messages import from_message, to_message


class StandIn:
    """What both servers share.

    Attributes:
        steps: what the next requests get, one each; then `answer` answers.
        answer: from signature and inputs to outputs, arrays by name.
        asked: signature and inputs of each request for a prediction.
        released: set when the test is over, for whoever waits.
    """

    def __init__(self):
        self.released = threading.Event()
        self.reset()

    def reset(self):
        self.steps, self.asked, self.requests, self.contents = [], [], [], []
        self.connections = 0
        self.answer = None
        self.metadata = {}

    def next_step(self):
        return self.steps.pop(0) if self.steps else None


class RestStandIn(StandIn):
    """REST by the standard library; `requests` holds method, path, headers, body."""

    def __enter__(self):
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self):
                stand_in.connections += 1
                super().setup()

            def log_message(self, *_):
                pass

            def do_GET(self):
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size)
                request = self.command, self.path, dict(self.headers), body
                stand_in.requests.append(request)
                step = stand_in.next_step()
                if step is None:
                    step = stand_in._answered(self.path, body)
                if callable(step):
                    step(self)
                else:
                    self.reply(*step)

            do_POST = do_GET

            def reply(self, status, content, **headers):
                self.send_response(status)
                headers = {"Content_Type": "application/json"} | headers
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 32

            def handle_error(self, *_):
                pass  # clients that leave are what some tests are about

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        ).start()
        return self

    def __exit__(self, *_):
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def _answered(self, path, body):
        if path.endswith("/metadata"):
            return 200, json.dumps(_rest_metadata(self.metadata)).encode()
        request = json.loads(body)
        inputs = request["inputs"]
        self.asked.append((request["signature_name"], inputs))
        outputs = {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in self.answer(request["signature_name"], inputs).items()
        }
        if len(outputs) == 1:
            (outputs,) = outputs.values()
        return 200, json.dumps({"outputs": outputs}).encode()


def failing(status, words="no", **headers):
    """A step that is an error as TF Serving's REST words it."""
    return lambda handler: handler.reply(
        status, json.dumps({"error": words}).encode(), **headers
    )


def resetting(handler):
    """Breaks the connection off before any answer."""
    handler.connection.setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    handler.connection.close()
    handler.close_connection = True


class GrpcStandIn(StandIn):
    """gRPC without generated code.

    `requests` holds path and metadata, `contents` the messages.
    """

    def __enter__(self):
        stand_in = self

        class Handler(grpc.GenericRpcHandler):
            def service(self, details):
                stand_in.requests.append(
                    (details.method, dict(details.invocation_metadata))
                )
                return grpc.unary_unary_rpc_method_handler(
                    lambda request, context: stand_in._answered(
                        details.method, request, context
                    )
                )

        self._server = grpc.server(ThreadPoolExecutor(8), [Handler()])
        port = self._server.add_insecure_port("127.0.0.1:0")
        self.url = f"grpc://127.0.0.1:{port}"
        self._server.start()
        return self

    def __exit__(self, *_):
        self.released.set()
        self._server.stop(0).wait()

    def _answered(self, method, content, context):
        self.contents.append(content)
        step = self.next_step()
        if step is not None:
            return step(context)
        if method.endswith("/GetModelMetadata"):
            return _grpc_metadata(self.metadata)
        request = message("PredictRequest").FromString(content)
        inputs = {
            name: from_message(tensor, name).tolist()
            for name, tensor in request.inputs.items()
        }
        signature = request.model_spec.signature_name
        self.asked.append((signature, inputs))
        found = message("PredictResponse")()
        for name, value in self.answer(signature, inputs).items():
            if not request.output_filter or name in request.output_filter:
                found.outputs[name].CopyFrom(to_message(as_tensor(value)))
        return found.SerializeToString()


def aborting(code, words="no"):
    """A step that is an error of gRPC."""
    return lambda context: context.abort(getattr(grpc.StatusCode, code), words)


def as_tensor(value):
    array = np.asarray(value)
    if array.dtype.kind == "U":
        array = np.array(value, object)
    return array.astype("float32") if array.dtype.kind == "f" else array


def _rest_metadata(signatures):
    def specs(tensors):
        return {
            name: {
                "name": f"{name}:0",
                "dtype": dtype,
                "tensor_shape": {
                    "dim": [{"size": str(size), "name": ""} for size in sizes],
                    "unknown_rank": False,
                },
            }
            for name, (dtype, sizes) in tensors.items()
        }

    found = {
        name: {
            "inputs": specs(inputs),
            "outputs": specs(outputs),
            "method_name": "tensorflow/serving/predict",
            "defaults": {},
        }
        for name, (inputs, outputs) in signatures.items()
    }
    return {
        "model_spec": {"name": "tiny", "signature_name": "", "version": "3"},
        "metadata": {"signature_def": {"signature_def": found}},
    }


def _grpc_metadata(signatures):
    from zoo.protocol.tensor_types import DATA_TYPES

    found = message("SignatureDefMap")()
    for name, both in signatures.items():
        definition = found.signature_def[name]
        definition.method_name = "tensorflow/serving/predict"
        sides = definition.inputs, definition.outputs
        for side, tensors in zip(sides, both, strict=True):
            for key, (dtype, sizes) in tensors.items():
                side[key].dtype = DATA_TYPES[dtype]
                for size in sizes:
                    side[key].tensor_shape.dim.add(size=size)
    answer = message("GetModelMetadataResponse")()
    answer.model_spec.name = "tiny"
    answer.model_spec.version.value = 3
    answer.metadata["signature_def"].Pack(found)
    return answer.SerializeToString()
