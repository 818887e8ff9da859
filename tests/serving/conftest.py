"""Exports that several tests of servers read."""

import pytest

from tests.serving.tiny_exports import export_tiny
from zoo.serving.models import Models
from zoo.serving.server import Server
from zoo.serving.workers import Limits


@pytest.fixture(scope="session")
def tiny_versions(tmp_path_factory):
    """A base path with versions 1, 2 and 3 of one model; to be read, not changed."""
    base_path = tmp_path_factory.mktemp("tiny")
    for version in (1, 2, 3):
        export_tiny(base_path, version)
    return base_path


@pytest.fixture(scope="session")
def recorded_server(tmp_path_factory):
    """A server of the models whose answers are recorded; bodies up to a megabyte."""
    from tests.serving.recorded_models import export_recorded

    models = Models(export_recorded(tmp_path_factory.mktemp("recorded")))
    limits = Limits(max_body_bytes=1 << 20)
    with Server(models, rest_port=0, grpc_port=0, limits=limits) as server:
        yield server
