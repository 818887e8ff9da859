import pytest

from zoo.client.address import Address, Target


@pytest.mark.parametrize(
    ("url", "scheme", "place"),
    [
        ("http://localhost:8501", "http", "localhost:8501"),
        ("http://localhost:8501/", "http", "localhost:8501"),
        ("https://models.example/zoo/", "https", "models.example/zoo"),
        ("http://[::1]:8501", "http", "[::1]:8501"),
        ("http://localhost/v10/x", "http", "localhost/v10/x"),
        ("http://localhost/a@b", "http", "localhost/a@b"),
        ("grpc://localhost:9000", "grpc", "localhost:9000"),
        ("grpc://localhost", "grpc", "localhost:8500"),
        ("grpc://[::1]", "grpc", "[::1]:8500"),
        ("grpc://[::1]:9000/", "grpc", "[::1]:9000"),
        ("grpcs://models.example", "grpcs", "models.example:443"),
    ],
)
def test_an_address_is_a_scheme_and_a_place(url, scheme, place):
    assert Address.parse(url) == Address(scheme, place)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8501",
        "localhost",
        "",
        "http://",
        "grpc://:8500",
        "ftp://localhost",
        "http://localhost:many",
        "http://localhost:8501/v1/models/en-zh",
        "http://localhost:8501/zoo/v1",
        "http://localhost:8501?model=en-zh",
        "grpc://localhost:8500/path",
    ],
)
def test_what_is_no_address_is_told_with_what_is_one(url):
    with pytest.raises(ValueError, match="url is") as caught:
        Address.parse(url)
    assert repr(url) in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://ann:secret@localhost:8501",
        "grpc://secret@localhost:8500",
        "http://ann:secret/t@localhost:8501",
        "http://ann:secret@localhost:many",
        "ann:secret@localhost",
    ],
)
def test_a_password_is_refused_and_not_repeated(url):
    with pytest.raises(ValueError, match=r"url is '…@localhost") as caught:
        Address.parse(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": ""},
        {"model": None},
        {"model": "m", "version": -1},
        {"model": "m", "version": "3"},
        {"model": "m", "version": True},
        {"model": "m", "label": ""},
        {"model": "m", "version": 1, "label": "stable"},
    ],
)
def test_a_target_is_a_name_with_a_version_or_a_label(wrong):
    with pytest.raises(ValueError, match="Received"):
        Target(**wrong)
