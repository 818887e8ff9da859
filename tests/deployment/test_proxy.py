"""The proxy before a server, where Caddy is installed."""

import contextlib
import http.client
import http.server
import os
import socket
import subprocess
import threading
import time

import pytest

from tests.deployment.tools import tool
from zoo.deployment.template import fill

TOKEN = "0123456789abcdef0123456789abcdef"
PREDICT = "/v1/models/it:predict"


class Backend(http.server.BaseHTTPRequestHandler):
    """Says what it was asked, as a server that believes everybody."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.path} {self.headers['Authorization']}".encode())

    do_GET = do_DELETE = do_POST

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def token_file(tmp_path_factory):
    return tmp_path_factory.mktemp("secrets") / "api_token"


@pytest.fixture(scope="module")
def port(token_file, tmp_path_factory):
    caddy, folder = tool("caddy"), tmp_path_factory.mktemp("caddy")
    text = fill("Caddyfile", {}).replace("/run/secrets/api_token", str(token_file))
    (folder / "Caddyfile").write_text(text, encoding="utf-8")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {
        "SITE_ADDRESS": f"http://127.0.0.1:{port}",
        "SERVING_HOST": "127.0.0.1",
        "SERVING_REST_PORT": str(server.server_port),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    process = subprocess.Popen(
        [caddy, "run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"],
        env=os.environ | variables,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(30)
        server.shutdown()
        server.server_close()


def wait_for(port, process):
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("Caddy did not start.")


@pytest.fixture
def ask(port, token_file):
    """Asks with a header as it stands, spaces and all."""
    token_file.write_text(TOKEN + "\n")

    def run(authorization, path=PREDICT, method="POST", size=2):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {} if authorization is None else {"Authorization": authorization}
        connection.request(method, path, b"x" * size, headers)
        answer = connection.getresponse()
        found = answer.status, answer.read().decode()
        connection.close()
        return found

    return run


def test_the_token_opens_and_stays_with_the_proxy(ask):
    assert ask(f"Bearer {TOKEN}") == (200, f"{PREDICT} None")


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", TOKEN, f"Bearer {TOKEN}x", f"Basic {TOKEN}"],
)
def test_nothing_else_opens(ask, authorization):
    code, body = ask(authorization)
    assert code == 401
    assert "Bearer TOKEN" in body


@pytest.mark.parametrize("content", ["", "\n", "short\n", None])
def test_an_empty_or_missing_token_opens_to_nobody(ask, token_file, content):
    token_file.unlink() if content is None else token_file.write_text(content)
    told = (content or "").strip()
    for authorization in (None, "Bearer", "Bearer ", f"Bearer {told}"):
        assert ask(authorization)[0] == 401
    assert ask("Bearer {file." + str(token_file) + "}")[0] == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/monitoring/prometheus/metrics"),
        ("GET", "/"),
        ("DELETE", PREDICT),
        ("POST", "/tensorflow.serving.ModelService/HandleReloadConfigRequest"),
    ],
)
def test_only_requests_to_models_pass(ask, method, path):
    assert ask(f"Bearer {TOKEN}", path, method)[0] == 404


def test_a_request_has_a_largest_size(ask):
    assert ask(f"Bearer {TOKEN}", size=31 * 10**6)[0] == 200
    # It may close the connection before all is sent.
    with contextlib.suppress(ConnectionError):
        assert ask(f"Bearer {TOKEN}", size=33 * 10**6)[0] == 413
