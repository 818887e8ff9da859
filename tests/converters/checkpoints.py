"""Tiny checkpoints in the layout of Hugging Face's hub, written by hand."""

import json

import numpy as np
from safetensors.numpy import save_file

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = [
    *SPECIAL,
    "a",
    "cat",
    "dog",
    "##s",
    "sat",
    "on",
    "the",
    "猫",
    "狗",
    "坐",
    "。",
]
# Sizes, all different: units, inside, positions; heads and layers.
UNITS, HIDDEN, LENGTH, HEADS, LAYERS = 12, 20, 17, 3, 2
BERT = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "vocab_size": len(PIECES),
    "hidden_size": UNITS,
    "intermediate_size": HIDDEN,
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "max_position_embeddings": LENGTH,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
}


def bert_arrays(random, num_labels: int = 0) -> dict[str, np.ndarray]:
    """Every tensor of a BERT, at random; with a classifier if there are labels."""
    shapes = {
        "embeddings.word_embeddings.weight": (len(PIECES), UNITS),
        "embeddings.position_embeddings.weight": (LENGTH, UNITS),
        "embeddings.token_type_embeddings.weight": (2, UNITS),
        "embeddings.LayerNorm": None,
        "pooler.dense": (UNITS, UNITS),
    }
    for index in range(LAYERS):
        block = f"encoder.layer.{index}"
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            shapes[f"{block}.attention.{name}"] = (UNITS, UNITS)
        shapes[f"{block}.attention.output.LayerNorm"] = None
        shapes[f"{block}.intermediate.dense"] = (HIDDEN, UNITS)
        shapes[f"{block}.output.dense"] = (UNITS, HIDDEN)
        shapes[f"{block}.output.LayerNorm"] = None
    if num_labels:
        shapes["classifier"] = (num_labels, UNITS)
    arrays = {}
    for name, shape in shapes.items():
        shape = shape or (UNITS,)
        if name.endswith(".weight"):
            arrays[name] = shape
        else:
            arrays |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return {
        name: random.normal(scale=0.4, size=shape).astype("float32")
        for name, shape in arrays.items()
    }


def write(folder, config: dict, arrays: dict, pieces=PIECES, shards: int = 1):
    """Writes a checkpoint; in several shards with their index, if asked for."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    vocabulary = "".join(f"{piece}\n" for piece in pieces)
    (folder / "vocab.txt").write_text(vocabulary, encoding="utf-8")
    if shards == 1:
        save_file(arrays, folder / "model.safetensors")
        return folder
    names, places = sorted(arrays), {}
    for shard in range(shards):
        file = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        own = names[shard::shards]
        save_file({name: arrays[name] for name in own}, folder / file)
        places |= dict.fromkeys(own, file)
    index = json.dumps({"metadata": {}, "weight_map": places})
    (folder / "model.safetensors.index.json").write_text(index, encoding="utf-8")
    return folder
