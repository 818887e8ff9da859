"""The script by which Docker knows whether the models serve."""

import http.server
import json
import shutil
import subprocess
import threading

import pytest

from zoo.deployment.template import fill

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="There is no bash.")
STATES = {
    "good": ["AVAILABLE"],
    "swapping": ["LOADING", "AVAILABLE"],
    "loading": ["LOADING"],
    "broken": ["END"],
}


class Status(http.server.BaseHTTPRequestHandler):
    """Answers as TF Serving does for the status of a model."""

    def do_GET(self):
        states = STATES.get(self.path.removeprefix("/v1/models/"))
        versions = [{"version": "1", "state": state} for state in states or ()]
        body = {"model_version_status": versions} if states else {"error": "AVAILABLE"}
        self.send_response(200 if states else 404)
        self.end_headers()
        self.wfile.write(json.dumps(body, indent=1).encode())

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    script = tmp_path_factory.mktemp("health") / "healthy.sh"
    script.write_text(fill("healthy.sh", {}), encoding="utf-8")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Status)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def run(*models, port=server.server_port):
        command = ["bash", script, *models]
        done = subprocess.run(command, env={"REST_PORT": str(port)}, timeout=20)
        return done.returncode

    yield run
    server.shutdown()
    server.server_close()


def test_models_that_serve_are_healthy(healthy):
    assert healthy("good", "swapping", "good") == 0


@pytest.mark.parametrize("model", ["loading", "broken", "missing"])
def test_one_model_that_does_not_serve_is_enough(healthy, model):
    assert healthy("good", model) == 1


def test_no_server_is_not_healthy(healthy):
    # A port that nothing can listen at.
    assert healthy("good", port=0) == 1
