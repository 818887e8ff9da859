import numpy as np
import pytest

from zoo.converters.efficientnet_lite import read_efficientnet_lite
from zoo.models import EfficientNetLite
from zoo.weights import assign_arrays

# Of each block its kernel size and channels: before, while and after it is wide.
BLOCKS = [
    (3, 32, 32, 16),
    (3, 16, 96, 24),
    (3, 24, 144, 24),
    (5, 24, 144, 40),
    (5, 40, 240, 40),
    (3, 40, 240, 80),
    *[(3, 80, 480, 80)] * 2,
    (5, 80, 480, 112),
    *[(5, 112, 672, 112)] * 2,
    (5, 112, 672, 192),
    *[(5, 192, 1152, 192)] * 3,
    (3, 192, 1152, 320),
]


def shapes():
    """Kernels of a checkpoint of torch, each with the normalisation behind it."""
    yield "_conv_stem", "_bn0", (32, 3, 3, 3)
    for number, (size, before, wide, after) in enumerate(BLOCKS):
        block = f"_blocks.{number}."
        if wide > before:
            yield f"{block}_expand_conv", f"{block}_bn0", (wide, before, 1, 1)
        yield f"{block}_depthwise_conv", f"{block}_bn1", (wide, 1, size, size)
        yield f"{block}_project_conv", f"{block}_bn2", (after, wide, 1, 1)


@pytest.fixture(scope="module")
def checkpoint():
    random = np.random.default_rng(7)
    arrays = {"_fc.weight": np.zeros((7, 5)), "_conv_head.weight": np.zeros((5, 3))}
    arrays |= {"_bn1.running_var": np.zeros(5)}
    for convolution, norm, shape in shapes():
        arrays[f"{convolution}.weight"] = random.normal(size=shape).astype("float32")
        for part in ("weight", "bias", "running_mean"):
            numbers = random.normal(size=shape[0]).astype("float32")
            arrays[f"{norm}.{part}"] = numbers
        # Small enough for what is added to it to show.
        variance = random.uniform(1e-3, 0.1, shape[0]).astype("float32")
        arrays[f"{norm}.running_var"] = variance
        arrays[f"{norm}.num_batches_tracked"] = np.array(5)
    return arrays


@pytest.fixture(scope="module")
def found(checkpoint):
    return read_efficientnet_lite(checkpoint)


ADDRESSES = {
    "_conv_stem": "stem/convolution",
    "_expand_conv": "expansion",
    "_depthwise_conv": "depthwise/convolution",
    "_project_conv": "projection",
}


def test_a_convolution_answers_as_it_did_with_its_normalisation(checkpoint, found):
    """At one place: the sum over what it sees, then normalised as torch does."""
    random = np.random.default_rng(5)
    seen = set()
    for convolution, norm, shape in shapes():
        outputs, inputs, height, width = shape
        *block, name = convolution.split(".")
        address = "/".join([f"block_{n}" for n in block[1:]] + [ADDRESSES[name]])
        depthwise = name == "_depthwise_conv"
        channels = outputs if depthwise else inputs
        window = random.normal(size=(channels, height, width))
        kernel = checkpoint[f"{convolution}.weight"].astype("float64")
        if depthwise:
            answers = [(kernel[n, 0] * window[n]).sum() for n in range(outputs)]
        else:
            answers = [(kernel[n] * window).sum() for n in range(outputs)]
        gamma, beta, mean, variance = (
            checkpoint[f"{norm}.{part}"].astype("float64")
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        expected = (np.array(answers) - mean) / np.sqrt(variance + 1e-3) * gamma + beta
        folded, bias = found[f"{address}/kernel"], found[f"{address}/bias"]
        seen |= {f"{address}/kernel", f"{address}/bias"}
        assert folded.dtype == bias.dtype == np.float32
        cells = window.transpose(1, 2, 0)
        if depthwise:
            own = (folded[..., 0] * cells).sum(axis=(0, 1)) + bias
        else:
            own = np.tensordot(cells, folded, 3) + bias
        scale = np.abs(expected).max()
        np.testing.assert_allclose(own / scale, expected / scale, atol=1e-5)
    assert seen == set(found)


def test_the_weights_are_those_of_the_backbone(found):
    backbone = EfficientNetLite("lite0")
    backbone.build()
    assign_arrays(backbone, found)


def test_tensors_that_are_missing_or_left_over_are_listed(checkpoint):
    arrays = dict(checkpoint)
    del arrays["_blocks.7._bn2.running_mean"], arrays["_conv_stem.weight"]
    arrays["_blocks.0._expand_conv.weight"] = arrays["_blocks.16._bn1.bias"] = np.ones(
        3
    )
    with pytest.raises(ValueError) as refused:
        read_efficientnet_lite(arrays)
    message = str(refused.value)
    assert "Missing: _blocks.7._bn2.running_mean, _conv_stem.weight." in message
    left = "_blocks.0._expand_conv.weight, _blocks.16._bn1.bias"
    assert f"Left over: {left}." in message


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("_conv_stem.weight", (32, 3, 5, 5)),
        ("_blocks.3._depthwise_conv.weight", (144, 1, 3, 3)),
        ("_blocks.4._project_conv.weight", (41, 240, 1, 1)),
        ("_blocks.4._expand_conv.weight", (240, 40)),
        ("_blocks.5._bn1.running_mean", (1,)),
    ],
)
def test_kernels_of_another_size_are_refused_by_name(checkpoint, name, shape):
    arrays = checkpoint | {name: np.ones(shape, "float32")}
    with pytest.raises(ValueError, match=f"Of another shape: {name} is .*, not"):
        read_efficientnet_lite(arrays)


@pytest.mark.parametrize(
    ("part", "number"), [("running_var", -0.7), ("running_var", -1e-3), ("bias", 4e38)]
)
def test_a_normalisation_that_gives_no_numbers_is_refused(checkpoint, part, number):
    name = f"_blocks.2._bn1.{part}"
    arrays = checkpoint | {name: np.full(144, number)}
    with pytest.raises(ValueError, match=r"_blocks\.2\._depthwise_conv .*not finite"):
        read_efficientnet_lite(arrays)
