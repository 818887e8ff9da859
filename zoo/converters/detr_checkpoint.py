"""DETR from Hugging Face's hub and from its authors' own files."""
# Class outputs keep the rows of the checkpoint, so that a row is the original category
# id. The published models have rows without a class (COCO's ids have gaps): these stay,
# because a softmax over fewer outputs would be another number, and have no name.

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.converters.checkpoint_folder import read_config
from zoo.converters.coco_names import COCO_NAMES
from zoo.converters.detr_names import (
    AUTHORS,
    HUB,
    Layout,
    names_in,
    one_naming,
    turned,
    unpacked,
)
from zoo.converters.hugging_face import read_hub_arrays, take_all
from zoo.converters.torch_pickle import Opaque, read_torch_pickle
from zoo.files import read_json

# What rows without a class are called in the published configs.
_NO_CLASS = "N/A"
# Of images, as DETR was trained and is evaluated.
_SHORTEST, _LONGEST = 800, 1333
_COLOURS = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
# Counters of pretraining.
_UNUSED = re.compile(r".*\.num_batches_tracked")


class DetrCheckpoint(NamedTuple):
    """What a checkpoint holds.

    Attributes:
        options: of `zoo.models.Detr`; under "backbone" those of `zoo.models.ResNet`.
        arrays: weights by the addresses of that model.
        names: of each class output but the last, "no object"; "" where there is no such
            class. The place in this tuple is the original category id.
        shortest: length of an image's shortest side, in pixels, as it was trained.
        longest: most length of its longest side.
        source: where it says it comes from.
    """

    options: dict
    arrays: dict[str, np.ndarray]
    names: tuple[str, ...]
    shortest: int
    longest: int
    source: dict


def read_detr(
    source, names=None, dilation: bool | None = None, mask_padding: bool = True
) -> DetrCheckpoint:
    """Reads a checkpoint of DETR with a ResNet of bottlenecks.

    Args:
        source: a folder in the layout of Hugging Face's hub, with config.json and
            model.safetensors (the backbone from timm or from transformers); or a .pth
            file of the authors' own code.
        names: of class outputs, where a .pth file is not of COCO: it holds none.
        dilation: of a .pth file: whether the last stage is dilated ("DC5"), which its
            weights do not tell. By default what its training noted, else whether its
            name has "dc5".
        mask_padding: of the backbone; False runs padded batches as others do.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: options that the architecture here does not have, tensors that do
            not fit, or a pickle that names anything but tensors.
    """
    source = Path(source)
    if source.is_dir():
        found = _read_hub(source)
    else:
        found = _read_authors(source, names, dilation)
    found.options["backbone"]["mask_padding"] = mask_padding
    return found


# Hugging Face's layout


def _read_hub(folder: Path) -> DetrCheckpoint:
    config = read_config(folder)
    _check_config(config)
    arrays = {
        one_naming(name): array for name, array in read_hub_arrays(folder).items()
    }
    options = _sizes(arrays, HUB) | {
        "num_heads": config["encoder_attention_heads"],
        "dropout": config.get("dropout", 0.1),
        "attention_dropout": config.get("attention_dropout", 0.0),
        "hidden_dropout": config.get("activation_dropout", 0.0),
    }
    options["backbone"]["dilation"] = _is_dilated(config)
    labels = {int(key): name for key, name in config["id2label"].items()}
    shortest, longest = _image_sizes(folder)
    return DetrCheckpoint(
        options,
        _taken(arrays, options, HUB, folder),
        _class_names(labels, options["num_classes"]),
        shortest,
        longest,
        {
            "name": config.get("_name_or_path") or folder.name,
            "architecture": (config.get("architectures") or ["unknown"])[0],
        },
    )


def _check_config(config: dict) -> None:
    """Refuses what would run, but as another network."""
    wrong = _differences(
        config,
        {
            "model_type": "detr",
            "position_embedding_type": "sine",
            "activation_function": "relu",
            "decoder_attention_heads": config.get("encoder_attention_heads"),
            "decoder_ffn_dim": config.get("encoder_ffn_dim"),
        },
    )
    if _has_own_backbone(config):
        wrong += _differences(config, {"dilation": False})
        wrong += _differences(
            config["backbone_config"],
            {
                "layer_type": "bottleneck",
                "hidden_act": "relu",
                "downsample_in_first_stage": False,
                "downsample_in_bottleneck": False,
            },
        )
    if wrong:
        raise ValueError(
            "This config.json describes another network than the DETR that is known "
            f"here. Received: {'; '.join(wrong)}."
        )


def _differences(config: dict, expected: dict) -> list[str]:
    return [
        f"{name}={config[name]!r}, not {wanted!r}"
        for name, wanted in expected.items()
        if config.get(name, wanted) != wanted
    ]


def _has_own_backbone(config: dict) -> bool:
    """Whether the backbone is of transformers; otherwise it is timm's."""
    return (config.get("backbone_config") or {}).get("model_type") == "resnet"


def _is_dilated(config: dict) -> bool:
    if _has_own_backbone(config):
        return False
    options = [
        config.get(name) or {} for name in ("backbone_config", "backbone_kwargs")
    ]
    stride = options[0].get("output_stride") or options[1].get("output_stride")
    if stride not in (None, 16, 32):
        raise ValueError(
            "Only the last stage can be dilated here. Received: "
            f"output_stride={stride}."
        )
    return bool(config.get("dilation")) or stride == 16


def _image_sizes(folder: Path) -> tuple[int, int]:
    """Shortest and longest side, of the file that says how images are prepared."""
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return _SHORTEST, _LONGEST
    config = read_json(path)
    size = config.get("size", _SHORTEST)
    if isinstance(size, dict):
        sides = size.get("shortest_edge"), size.get("longest_edge")
    else:
        sides = size, config.get("max_size", _LONGEST)
    colours = [config.get(name, known) for name, known in _COLOURS.items()]
    if (
        not all(isinstance(side, int) for side in sides)
        or colours != [*_COLOURS.values()]
        or not config.get("do_normalize", True)
    ):
        raise ValueError(
            f"{path} asks for other images than those with a shortest and a longest "
            f"side, of ImageNet's colours. Received: size={size!r}, image_mean="
            f"{colours[0]}, image_std={colours[1]}."
        )
    return sides


# The authors' layout


def _read_authors(path: Path, names, dilation) -> DetrCheckpoint:
    content = read_torch_pickle(path)
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise ValueError(
            f"{path} is not a checkpoint of DETR's authors: it has no 'model'."
        )
    noted = content.get("args")
    noted = noted.state if isinstance(noted, Opaque) else {}
    if noted.get("pre_norm") or noted.get("masks"):
        raise ValueError(
            f"{path} was trained with pre_norm or masks, which are not known here."
        )
    arrays = unpacked(content["model"])
    dropout = float(noted.get("dropout", 0.1))
    options = _sizes(arrays, AUTHORS) | {
        "num_heads": int(noted.get("nheads", 8)),
        "dropout": dropout,
        "attention_dropout": dropout,
        "hidden_dropout": dropout,
    }
    if dilation is None:
        dilation = noted.get("dilation", "dc5" in path.name.lower())
    options["backbone"]["dilation"] = bool(dilation)
    count = options["num_classes"]
    if names is None and count != len(COCO_NAMES) + 11:
        raise ValueError(
            f"{path} has {count} classes and no names, and COCO has 91 rows: say what "
            "they are called with names."
        )
    labels = COCO_NAMES if names is None else dict(enumerate(names))
    return DetrCheckpoint(
        options,
        _taken(arrays, options, AUTHORS, path),
        _class_names(labels, count),
        _SHORTEST,
        _LONGEST,
        {"name": path.stem, "architecture": "DETR"},
    )


# Both


def _sizes(arrays: dict, layout: Layout) -> dict:
    """The options that follow from the shapes of tensors."""
    first = layout.block.format("encoder", 0)
    needed = {
        "stem": f"{layout.backbone}conv1.weight",
        "queries": layout.queries,
        "classes": f"{layout.parts['class_head']}.weight",
        "hidden": f"{first}{layout.encoder['feed_forward/hidden']}.weight",
    }
    missing = sorted(set(needed.values()) - set(arrays))
    if missing:
        raise ValueError(
            "The tensors are not those of a DETR for detection with a ResNet. Missing: "
            f"{', '.join(missing)}."
        )
    shapes = {ours: arrays[theirs].shape for ours, theirs in needed.items()}
    encoder, decoder = (
        _count(arrays, layout.block.format(stack, r"(\d+)"))
        for stack in ("encoder", "decoder")
    )
    stages = range(1, 1 + _count(arrays, layout.backbone + r"layer(\d+)\."))
    return {
        "backbone": {
            "blocks": tuple(
                _count(arrays, rf"{layout.backbone}layer{stage}\.(\d+)\.")
                for stage in stages
            ),
            "width": shapes["stem"][0],
        },
        "num_classes": shapes["classes"][0] - 1,
        "num_queries": shapes["queries"][0],
        "units": shapes["queries"][1],
        "hidden_size": shapes["hidden"][0],
        "num_layers": encoder,
        "num_decoder_layers": decoder,
    }


def _count(arrays: dict, pattern: str) -> int:
    """How many numbers stand in a place of the names."""
    found = (re.match(pattern, name) for name in arrays)
    return len({match[1] for match in found if match})


def _taken(arrays: dict, options: dict, layout: Layout, origin) -> dict:
    """Tensors by our addresses, as they lie here; nothing missing or left over."""
    found = take_all(arrays, names_in(layout, options), _UNUSED.fullmatch, origin)
    return {address: turned(address, array) for address, array in found.items()}


def _class_names(labels: dict, count: int) -> tuple[str, ...]:
    """Names by row; rows without a class have an empty one."""
    beyond = sorted(row for row in labels if not 0 <= row < count)
    if beyond:
        raise ValueError(
            f"There are names of the classes {beyond}, and the model has 0 to "
            f"{count - 1}."
        )
    names = (labels.get(row) or "" for row in range(count))
    names = tuple("" if name == _NO_CLASS else str(name) for name in names)
    given = [name for name in names if name]
    if not given or len(set(given)) < len(given):
        raise ValueError(
            "Every class needs a name of its own. Received: "
            f"{', '.join(given) or 'none'}."
        )
    return names
