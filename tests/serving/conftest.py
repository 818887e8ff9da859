"""Exports that several tests of servers read."""

import pytest

from tests.serving.tiny_exports import export_tiny


@pytest.fixture(scope="session")
def tiny_versions(tmp_path_factory):
    """A base path with versions 1, 2 and 3 of one model; to be read, not changed."""
    base_path = tmp_path_factory.mktemp("tiny")
    for version in (1, 2, 3):
        export_tiny(base_path, version)
    return base_path
