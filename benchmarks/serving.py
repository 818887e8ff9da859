"""Load on `zoo serve`: what it loses, how long callers wait, what batching gains.

    python benchmarks/serving.py PRESET… [--seconds 60] [--clients 8] [--out FILE.md]

Every preset is exported and served twice: each request for itself, and joined with
others across callers. Then:

- load: the two servers take turns of some seconds under CLIENTS callers, who each send
  one text at a time, one after another. Every answer is compared with the one that the
  text had alone before. What is reported is the ratio of requests a second, turn by
  turn, and percentiles of the time that a caller waited;
- swap: a new version is dropped in under load, then a damaged one;
- kill: the server is killed under load and started anew.

The whole ends by itself, with exit status 1 if an answer was wrong or lost that should
not have been. Absolute times say more about the machine than about the
server; ratios are what to look at.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
from taking_turns import ROOT, spread

ENGLISH = (
    "Knowledge is power.",
    "I would like to drink a cup of tea.",
    "Where is the nearest station?",
    "My brother goes to school by bus every day.",
    "It is raining.",
    "This film is a waste of time.",
    "What a wonderful evening we had with our friends!",
    "The book that you gave me is very interesting.",
)
STARTED_WITHIN = 120.0
TURN = 5.0


class Server:
    """A `zoo serve` of a process of its own."""

    def __init__(self, base: Path, batching: Path | None = None, ports=None):
        self.base = base
        self.ports = ports or (_free_port(), _free_port())
        rest, grpc = map(str, self.ports)
        options = ["--rest-port", rest, "--grpc-port", grpc]
        options += ["--batching", str(batching)] if batching else []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "zoo", "serve", f"model={base}", *options],
            env=os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdout=subprocess.DEVNULL,
        )
        self.address = f"http://127.0.0.1:{rest}/v1/models/model"

    def wait(self) -> float:
        """Seconds until it answers."""
        start = time.monotonic()
        while time.monotonic() - start < STARTED_WITHIN:
            if self.process.poll() is not None:
                raise RuntimeError(f"The server ended with {self.process.returncode}.")
            with contextlib.suppress(httpx.TransportError):
                if "AVAILABLE" in self.versions().values():
                    return time.monotonic() - start
            time.sleep(0.1)
        raise RuntimeError(f"The server did not start in {STARTED_WITHIN} seconds.")

    def versions(self) -> dict[str, str]:
        """States by version."""
        status = httpx.get(self.address, timeout=30).json()
        found = status.get("model_version_status", ())
        return {one["version"]: one["state"] for one in found}

    def stop(self, number=signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(60)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Load:
    """Callers that send one text at a time until they are told to stop.

    Attributes:
        seconds: what each answered request took.
        failures: how often what went wrong.
        wrong: answers that are not those expected.
    """

    def __init__(self, address: str, expected: dict[str, object], clients: int):
        self.address, self.expected = address, expected
        self.seconds, self.failures, self.wrong = [], Counter(), 0
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._call, args=(seed,)) for seed in range(clients)
        ]

    def __enter__(self):
        self.start = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self.lasted = time.monotonic() - self.start

    def _call(self, seed: int) -> None:
        chosen = random.Random(seed)
        with httpx.Client(timeout=60) as client:
            while not self._ended.is_set():
                text = chosen.choice(list(self.expected))
                start = time.perf_counter()
                try:
                    answer = client.post(
                        f"{self.address}:predict", json={"instances": [text]}
                    )
                except httpx.TransportError as error:
                    self.failures[type(error).__name__] += 1
                    time.sleep(0.05)
                    continue
                if answer.status_code != 200:
                    self.failures[str(answer.status_code)] += 1
                    continue
                self.seconds.append(time.perf_counter() - start)
                self.wrong += not alike(
                    answer.json()["predictions"][0], self.expected[text]
                )

    @property
    def a_second(self) -> float:
        return len(self.seconds) / self.lasted


def alike(one, other) -> bool:
    """Equal, but for the last digits of numbers."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            alike(one[key], other[key]) for key in one
        )
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) or isinstance(other, float):
        return abs(one - other) <= 1e-4 * max(1.0, abs(one))
    return one == other


def expected_answers(server: Server) -> dict[str, object]:
    """What each text is answered when it is alone."""
    return {
        text: httpx.post(
            f"{server.address}:predict", json={"instances": [text]}, timeout=60
        ).json()["predictions"][0]
        for text in ENGLISH
    }


def measure_load(alone: Server, joined: Server, seconds: float, clients: int) -> dict:
    """Turns of two servers under the same load."""
    expected = expected_answers(alone)
    turns = {"alone": [], "joined": []}
    servers = {"alone": alone, "joined": joined}
    for _ in range(max(2, round(seconds / TURN / 2))):
        for name in random.sample(list(servers), 2):
            with Load(servers[name].address, expected, clients) as load:
                time.sleep(TURN)
            turns[name].append(load)
    found = {
        name: {
            "requests": sum(len(load.seconds) for load in loads),
            "failures": dict(sum((load.failures for load in loads), Counter())),
            "wrong": sum(load.wrong for load in loads),
            "milliseconds": percentiles([s for load in loads for s in load.seconds]),
        }
        for name, loads in turns.items()
    }
    gains = [
        joined.a_second / alone.a_second
        for alone, joined in zip(turns["alone"], turns["joined"], strict=True)
    ]
    return found | {"gain": spread(gains)}


def percentiles(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {f"p{n}": round(1000 * cuts[n - 1], 1) for n in (50, 90, 99)}


def drop_in(base: Path, version: int, damage: bool = False) -> None:
    """A version, copied beside and renamed, as an export comes into place."""
    beside = base / f".{version}"
    shutil.copytree(base / "1", beside)
    if damage:
        graph = beside / "saved_model.pb"
        content = graph.read_bytes()
        graph.write_bytes(content[: len(content) // 2])
    beside.rename(base / str(version))


def measure_swap(server: Server, expected: dict, clients: int) -> dict:
    """A new version and a damaged one, dropped in under load."""
    with Load(server.address, expected, clients) as load:
        time.sleep(2)
        drop_in(server.base, 2)
        new = _until(lambda: server.versions().get("2") == "AVAILABLE")
        old = _until(lambda: server.versions().get("1") in (None, "END"))
        drop_in(server.base, 3, damage=True)
        damaged = _until(lambda: server.versions().get("3") == "END")
        time.sleep(2)
        states = server.versions()
    # A server that starts takes the newest version or none, as TF Serving does.
    shutil.rmtree(server.base / "3")
    return {
        "requests": len(load.seconds),
        "failures": dict(load.failures),
        "wrong": load.wrong,
        "new version served": new,
        "old version ended": old,
        "damaged version ended": damaged,
        "still served": [name for name, state in states.items() if state != "END"],
    }


def measure_kill(server: Server, batching, expected: dict, clients: int) -> dict:
    """Killed under load, started anew on the same ports."""
    with Load(server.address, expected, clients) as load:
        time.sleep(2)
        before = len(load.seconds)
        server.stop(signal.SIGKILL)
        again = Server(server.base, batching, server.ports)
        seconds = again.wait()
        time.sleep(2)
    after = len(load.seconds) - before
    again.stop()
    return {
        "answered before": before,
        "answered after": after,
        "refused meanwhile": dict(load.failures),
        "wrong": load.wrong,
        "seconds to start": round(seconds, 1),
        "ended with": again.process.returncode,
    }


def _until(reached, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if reached():
            return True
        time.sleep(0.2)
    return False


def measure(preset: str, seconds: float, clients: int, scratch: Path) -> dict:
    import zoo

    base = scratch / preset.replace("/", "_")
    version = zoo.load(preset).export(base)
    batching = version / "batching_params.pbtxt"
    parameters = scratch / "batching.pbtxt"
    shutil.move(batching, parameters)  # else the first server would join as well
    alone, joined = Server(base), Server(base, parameters)
    try:
        alone.wait()
        joined.wait()
        found = {"load": measure_load(alone, joined, seconds, clients)}
        expected = expected_answers(joined)
        alone.stop()
        found["swap"] = measure_swap(joined, expected, clients)
        found["kill"] = measure_kill(joined, parameters, expected, clients)
    finally:
        for server in (alone, joined):
            if server.process.poll() is None:
                server.stop(signal.SIGKILL)
    return found


def as_table(found: dict[str, dict]) -> str:
    """Markdown: a table of the load, and what swaps and kills did."""
    lines = [
        "| preset | server | requests | lost | wrong | p50, ms | p90 | p99 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for preset, one in found.items():
        for name in ("alone", "joined"):
            row = one["load"][name]
            waits = " | ".join(str(value) for value in row["milliseconds"].values())
            lost = sum(row["failures"].values())
            lines.append(
                f"| {preset} | {name} | {row['requests']} | {lost} | {row['wrong']} "
                f"| {waits} |"
            )
    for preset, one in found.items():
        lines += [
            "",
            f"{preset}: joined, {one['load']['gain']} times as many requests a second.",
            f"Swap: {json.dumps(one['swap'])}",
            f"Kill: {json.dumps(one['kill'])}",
        ]
    return "\n".join(lines) + "\n"


def faults(found: dict) -> list[str]:
    """What went wrong that nothing but a fault of the server explains."""
    swap, kill = found["swap"], found["kill"]
    parts = {name: found["load"][name] for name in ("alone", "joined")}
    parts |= {"swap": swap, "kill": kill}
    told = []
    for name, one in parts.items():
        if one["wrong"]:
            told.append(f"{name}: {one['wrong']} wrong answers")
        if one.get("failures"):
            told.append(f"{name}: lost {one['failures']}")
    told += [f"swap: no {name}" for name, done in swap.items() if done is False]
    if swap["still served"] != ["2"]:
        told.append(f"swap: served is {swap['still served']}, not version 2")
    # While a server is down nobody can connect; one that starts says 503.
    refused = kill["refused meanwhile"]
    if bad := [name for name in refused if name.isdigit() and name != "503"]:
        told.append(f"kill: refused with {', '.join(bad)}")
    if not kill["answered after"]:
        told.append("kill: no answer after it")
    if kill["ended with"]:
        told.append(f"kill: the server ended with {kill['ended with']}")
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("presets", nargs="+")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = {
            preset: measure(preset, options.seconds, options.clients, Path(scratch))
            for preset in options.presets
        }
    table = as_table(found)
    print(table)
    if options.out:
        options.out.write_text(table, encoding="utf-8")
    wrong = [f"{preset}: {of}" for preset, one in found.items() for of in faults(one)]
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
