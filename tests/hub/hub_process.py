"""The hub's own client, in a process of its own, asks a server of this machine."""

import http.server
import json
import os
import sys
import tempfile
import threading
from pathlib import Path

FOLDER, COMMIT = Path(sys.argv[1]), "a" * 40


class Handler(http.server.BaseHTTPRequestHandler):
    """As much of the hub's protocol as fetching takes."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = self.path.split("?")[0]
        files = {
            file.relative_to(FOLDER).as_posix(): file.read_bytes()
            for file in FOLDER.rglob("*")
            if file.is_file()
        }
        if path.startswith("/api/models/me/mine/tree/"):
            rows = [
                {"type": "file", "path": name, "size": len(octets), "oid": "0" * 40}
                for name, octets in files.items()
            ]
            return self.answer(rows)
        if path.startswith("/api/models/me/mine"):
            names = [{"rfilename": name} for name in files]
            return self.answer({"id": "me/mine", "sha": COMMIT, "siblings": names})
        name = path.partition(f"/me/mine/resolve/{COMMIT}/")[2]
        if name in files:
            return self.answer(files[name], ETag=f'"{name}"', X_Repo_Commit=COMMIT)
        return self.answer({}, 404, X_Error_Code="RepoNotFound")

    do_HEAD = do_GET

    def answer(self, content, status=200, **headers):
        octets = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(octets)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
with tempfile.TemporaryDirectory() as cache:
    # Read when the client is imported.
    os.environ |= {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}
    os.environ |= {"HF_HOME": cache, "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

    from zoo.hub import fetch

    found = fetch("hf://me/mine")
    names = {
        path.relative_to(found.path).as_posix(): path.read_bytes().decode()
        for path in found.path.rglob("*")
        if path.is_file()
    }
    try:
        fetch("hf://me/none")
    except ValueError as error:
        refused = str(error)
    print(json.dumps([found.origin, names, refused]))
server.shutdown()
server.server_close()
