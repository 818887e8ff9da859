"""BERT, DistilBERT and their kin from the layout of Hugging Face's hub."""
# What does not come along: heads of pretraining (masked words, next sentence), and
# BERT's pooler where there is no classifier behind it, for it is seldom trained.

import re
from pathlib import Path

import numpy as np

from zoo import registry
from zoo.converters.checkpoint_folder import peek_config, read_config
from zoo.converters.family import Family
from zoo.converters.hugging_face import check_shapes, read_hub_arrays, take_all
from zoo.converters.parity import compare_with_transformers
from zoo.data.label_set import LabelSet
from zoo.data.wordpiece_vocabulary import WordPieceVocabulary
from zoo.presets import Preset
from zoo.tasks.wordpiece_classification import WordPieceClassificationTask
from zoo.weights import assign_arrays

# Names in the two layouts: BERT's config, and DistilBERT's.
_FIELDS = {
    "bert": {
        "units": "hidden_size",
        "hidden_size": "intermediate_size",
        "num_heads": "num_attention_heads",
        "num_layers": "num_hidden_layers",
        "activation": "hidden_act",
        "dropout": "hidden_dropout_prob",
    },
    "distilbert": {
        "units": "dim",
        "hidden_size": "hidden_dim",
        "num_heads": "n_heads",
        "num_layers": "n_layers",
        "activation": "activation",
        "dropout": "dropout",
    },
}
MODEL_TYPES = tuple(_FIELDS)
_BLOCK = {
    "bert": {
        "attention/query": "attention.self.query",
        "attention/key": "attention.self.key",
        "attention/value": "attention.self.value",
        "attention/output": "attention.output.dense",
        "attention_norm": "attention.output.LayerNorm",
        "feed_forward/hidden": "intermediate.dense",
        "feed_forward/output": "output.dense",
        "feed_forward_norm": "output.LayerNorm",
    },
    "distilbert": {
        "attention/query": "attention.q_lin",
        "attention/key": "attention.k_lin",
        "attention/value": "attention.v_lin",
        "attention/output": "attention.out_lin",
        "attention_norm": "sa_layer_norm",
        "feed_forward/hidden": "ffn.lin1",
        "feed_forward/output": "ffn.lin2",
        "feed_forward_norm": "output_layer_norm",
    },
}
_STACK = {"bert": "encoder.layer", "distilbert": "transformer.layer"}
_POOLER = {"bert": "pooler.dense", "distilbert": "pre_classifier"}
_UNUSED = re.compile(
    r"embeddings\.position_ids|cls\..*|pooler\..*|vocab_(transform|layer_norm|"
    r"projector)\..*"
)
# The same approximation under several names.
_ACTIVATIONS = dict.fromkeys(("gelu_new", "gelu_pytorch_tanh"), "gelu_tanh")
# What is fine-tuned is short; a classifier reads as much as it was trained to.
_MAX_PIECES, _MOST_CLASSIFIED = 128, 512


def convert_bert(folder) -> Preset:
    """An encoder, or a classifier, as a preset of `text_classification_bert`.

    A checkpoint with a classifier (`…ForSequenceClassification`) keeps it, with its
    labels by name, and reads texts as long as its positions go, 512 pieces at most. Any
    other becomes an encoder to be fine-tuned: its states are weighed by attention that
    starts at their mean.

    Args:
        folder: in the hub's layout.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: options that the architecture here does not have, or tensors that
            do not fit.
    """
    folder = Path(folder)
    config = read_config(folder)
    kind = config["model_type"]
    vocabulary = WordPieceVocabulary.read_hugging_face(folder)
    arrays = _plain_names(read_hub_arrays(folder), kind)
    _check_sizes(config, arrays, kind, folder)
    has_head = "classifier.weight" in arrays
    labels = _labels(config, arrays["classifier.weight"]) if has_head else None
    recipe = registry.get(
        "text_classification_bert", **_options(config, kind, has_head, labels)
    )
    task = WordPieceClassificationTask(
        vocabulary, labels, max_pieces=recipe.options["max_pieces"]
    )
    model = recipe.build_model(task.model_options())
    names = _names(model, kind, has_head)
    found = take_all(arrays, names, _UNUSED.fullmatch, folder)
    words = found["word_embedding/embeddings"]
    if len(words) < vocabulary.size:
        raise ValueError(
            f"{folder} has {len(words)} word embeddings for {vocabulary.size} pieces: "
            "the tokenizer's files are of another model."
        )
    # Tables are sometimes filled up to a round number.
    found["word_embedding/embeddings"] = words[: vocabulary.size]
    turned = {
        address: np.ascontiguousarray(array.T) if "kernel" in address else array
        for address, array in found.items()
    }
    # Attention pooling, which the checkpoint does not have, starts at the mean.
    assign_arrays(model, turned, folder, reset=["pooling/.*"])
    card = {"source": _source(folder, config), "recipe": recipe.name}
    return Preset(recipe, task, model, card, folder.name)


def _check_sizes(config: dict, arrays: dict, kind: str, folder) -> None:
    """Compares sizes with tensors before a model is made: a config costs nothing."""
    fields = _FIELDS[kind]
    units, hidden, layers = (
        _size(config, fields[name], folder)
        for name in ("units", "hidden_size", "num_layers")
    )
    length = _size(config, "max_position_embeddings", folder)
    _size(config, fields["num_heads"], folder)
    if layers > len(arrays):
        raise ValueError(
            f"{folder}/config.json says {fields['num_layers']}={layers}, and there are "
            f"{len(arrays)} tensors."
        )
    shapes = {
        "embeddings.word_embeddings.weight": (None, units),
        "embeddings.position_embeddings.weight": (length, units),
    }
    if kind == "bert":
        types = _size(config, "type_vocab_size", folder)
        shapes["embeddings.token_type_embeddings.weight"] = (types, units)
    inside = _BLOCK[kind]["feed_forward/hidden"]
    for index in range(layers):
        shapes[f"{_STACK[kind]}.{index}.{inside}.weight"] = (hidden, units)
    if "classifier.weight" in arrays:
        shapes["classifier.weight"] = (None, units)
    check_shapes(arrays, shapes, folder, "config.json")


def _size(config: dict, name: str, folder) -> int:
    size = config.get(name)
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(
            f"{folder}/config.json must say how many {name} there are, from 1 on. "
            f"Received: {size!r}."
        )
    return size


def _options(config: dict, kind: str, has_head: bool, labels) -> dict:
    """The recipe's options that a config asks for."""
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise ValueError(
            "Only absolute positions are known here. Received: "
            f"position_embedding_type={config['position_embedding_type']!r}."
        )
    options = {ours: config[theirs] for ours, theirs in _FIELDS[kind].items()}
    options["activation"] = _ACTIVATIONS.get(
        options["activation"], options["activation"]
    )
    length = config["max_position_embeddings"]
    options |= {
        "size": "base",
        "max_length": length,
        "max_pieces": min(_MOST_CLASSIFIED if has_head else _MAX_PIECES, length),
        "epsilon": config.get("layer_norm_eps", 1e-12),
        "num_token_types": config["type_vocab_size"] if kind == "bert" else 0,
    }
    if has_head:
        pooler = "tanh" if kind == "bert" else "relu"
        options |= {"pooling": "first", "pooler": pooler, "kind": labels.kind}
    return options


def _labels(config: dict, weight) -> LabelSet:
    """The labels of a classifier, in the order of its outputs: the rows of `weight`."""
    # Two labels without names of their own are left out of a config.
    usual = {str(number): f"LABEL_{number}" for number in range(len(weight))}
    names = config.get("id2label") or usual
    names = [names[key] for key in sorted(names, key=int)]
    kinds = {"multi_label_classification": "multi", "regression": "regression"}
    kind = kinds.get(config.get("problem_type"), "single")
    if kind == "regression" or len(names) == 1:
        return LabelSet("regression")
    return LabelSet(kind, tuple(map(str, names)))


def _plain_names(arrays: dict, kind: str) -> dict:
    """Tensors without the model's prefix and with today's names."""
    renamed = {}
    for name, array in arrays.items():
        name = name.removeprefix(f"{kind}.")
        name = name.replace("LayerNorm.gamma", "LayerNorm.weight")
        renamed[name.replace("LayerNorm.beta", "LayerNorm.bias")] = array
    return renamed


def _names(model, kind: str, has_head: bool) -> dict[str, str]:
    """The checkpoint's names by the model's addresses."""
    names = {
        "word_embedding/embeddings": "embeddings.word_embeddings.weight",
        "position_embedding/embeddings": "embeddings.position_embeddings.weight",
        "embedding_norm/gamma": "embeddings.LayerNorm.weight",
        "embedding_norm/beta": "embeddings.LayerNorm.bias",
    }
    if model.num_token_types:
        types = "embeddings.token_type_embeddings.weight"
        names["type_embedding/embeddings"] = types
    parts = {
        f"encoder_{index}/{ours}": f"{_STACK[kind]}.{index}.{theirs}"
        for index in range(model.num_layers)
        for ours, theirs in _BLOCK[kind].items()
    }
    if has_head:
        parts |= {"pooler": _POOLER[kind], "head": "classifier"}
    for ours, theirs in parts.items():
        weight, bias = ("gamma", "beta") if "norm" in ours else ("kernel", "bias")
        names |= {f"{ours}/{weight}": f"{theirs}.weight"}
        names |= {f"{ours}/{bias}": f"{theirs}.bias"}
    return names


def _source(folder: Path, config: dict) -> dict:
    """Where a checkpoint says it comes from."""
    return {
        "name": config.get("_name_or_path") or folder.name,
        "architecture": (config.get("architectures") or ["unknown"])[0],
    }


FAMILY = Family(
    name="bert",
    looks_for="config.json with model_type bert or distilbert; model.safetensors or "
    "pytorch_model.bin; vocab.txt or tokenizer.json (BERT, DistilBERT, MiniLM)",
    recognises=lambda path: peek_config(path).get("model_type") in MODEL_TYPES,
    convert=convert_bert,
    compare=compare_with_transformers,
    needs="torch transformers",
)
