import pytest

from zoo.deployment import check_image, check_name


@pytest.mark.parametrize("name", ["a", "en-zh", "bert2", "x" * 56])
def test_names_that_kubernetes_takes_pass(name):
    check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "En-zh",
        "en_zh",
        "en.zh",
        "-en",
        "en-",
        "2en",
        "en/zh",
        "猫",
        "x" * 57,
        "a\n",
    ],
)
def test_other_names_are_refused_with_the_rule(name):
    with pytest.raises(ValueError, match="DNS-1123"):
        check_name(name)


def test_a_refused_name_comes_with_one_that_would_do():
    with pytest.raises(ValueError, match=r"For example en-zh-luong\."):
        check_name("En_zh.Luong")


def test_what_is_suggested_would_pass():
    for name in ("1A__b!", "-" * 80 + "b", "Z" * 80, "9-_-"):
        with pytest.raises(ValueError, match="DNS-1123") as refused:
            check_name(name)
        _, found, advice = str(refused.value).partition("For example ")
        if found:
            check_name(advice.rstrip("."))


@pytest.mark.parametrize(
    "image", ["", "models:1", "registry.example.org:5000/a/models:v1.2-rc"]
)
def test_references_of_images_pass(image):
    check_image(image)


@pytest.mark.parametrize("image", ["a b", "a:1\nUSER root", '"a"', "A:1", "a#b"])
def test_what_is_no_image_is_refused(image):
    with pytest.raises(ValueError, match="no name for an image"):
        check_image(image)
