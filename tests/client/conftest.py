import pytest

from tests.client.stand_ins import GrpcStandIn, RestStandIn


@pytest.fixture(scope="session")
def _rest():
    with RestStandIn() as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def _grpc():
    with GrpcStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def rest(_rest):
    _rest.reset()
    return _rest


@pytest.fixture
def grpc_server(_grpc):
    _grpc.reset()
    return _grpc


@pytest.fixture(params=["rest", "grpc"])
def server(request):
    """A stand-in over either protocol."""
    stand_in = request.getfixturevalue(f"_{request.param}")
    stand_in.reset()
    return stand_in
