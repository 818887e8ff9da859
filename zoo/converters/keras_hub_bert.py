"""KerasHub's BERT and DistilBERT backbones as encoders."""

from pathlib import Path

import numpy as np

from zoo import registry
from zoo.converters.checkpoint_folder import peek_config, read_config
from zoo.converters.family import Family
from zoo.data.wordpiece_vocabulary import END, PADDING, START, WordPieceVocabulary
from zoo.presets import Preset
from zoo.tasks.wordpiece_classification import WordPieceClassificationTask
from zoo.weights import assign_arrays, weight_address

_MAX_PIECES = 128


def convert_keras_hub(source: str) -> Preset:
    """An encoder from a KerasHub preset.

    Args:
        source: what `keras_hub.models.Backbone.from_preset` takes: a folder, or a
            handle such as "bert_tiny_en_uncased", which KerasHub downloads.

    Raises:
        ImportError: keras-hub is not installed.
        ValueError: a preset of another architecture, or one that there is not.
    """
    try:
        from keras_hub import models
    except ImportError as error:
        raise ImportError(
            "KerasHub presets are read by KerasHub: pip install keras-hub."
        ) from error
    backbone = models.Backbone.from_preset(source)
    if not isinstance(backbone, models.BertBackbone | models.DistilBertBackbone):
        raise ValueError(
            f"{source} is a {type(backbone).__name__}. KerasHub's BertBackbone and "
            "DistilBertBackbone are known here."
        )
    vocabulary = _vocabulary(models.Tokenizer.from_preset(source))
    config = backbone.get_config()
    has_types = isinstance(backbone, models.BertBackbone)
    length = config["max_sequence_length"]
    recipe = registry.get(
        "text_classification_bert",
        size="base",
        units=config["hidden_dim"],
        hidden_size=config["intermediate_dim"],
        num_heads=config["num_heads"],
        num_layers=config["num_layers"],
        dropout=config["dropout"],
        num_token_types=config["num_segments"] if has_types else 0,
        # KerasHub's BERT has the approximation, its DistilBERT the exact gelu.
        activation="gelu_tanh" if has_types else "gelu",
        max_length=length,
        max_pieces=min(_MAX_PIECES, length),
    )
    task = WordPieceClassificationTask(
        vocabulary, None, max_pieces=recipe.options["max_pieces"]
    )
    model = recipe.build_model(task.model_options())
    arrays = _arrays(backbone, model, has_types)
    # Attention pooling, which a backbone does not have, starts at the mean.
    assign_arrays(model, arrays, source, reset=["pooling/.*"])
    name = str(source).rstrip("/").rpartition("/")[2]
    card = {"source": {"name": name, "architecture": type(backbone).__name__}}
    return Preset(recipe, task, model, card | {"recipe": recipe.name}, name)


def _vocabulary(tokenizer) -> WordPieceVocabulary:
    options = tokenizer.get_config()
    pieces = tokenizer.get_vocabulary()
    if tokenizer.id_to_token(0) != PADDING or not {START, END} <= set(pieces):
        raise ValueError(
            f"The tokenizer must have {PADDING} as id 0, {START} and {END}. "
            f"Received: {pieces[:3]}…"
        )
    return WordPieceVocabulary(
        pieces,
        lower_case=bool(options.get("lowercase")),
        strip_accents=bool(options.get("strip_accents")),
        split_chinese=bool(options.get("split_on_cjk", True)),
    )


def _arrays(backbone, model, has_types: bool) -> dict:
    """The backbone's weights by the model's addresses."""
    if has_types:
        words = backbone.token_embedding
        positions = backbone.get_layer("position_embedding").position_embeddings
    else:
        both = backbone.get_layer("token_and_position_embedding")
        words, positions = (
            both.token_embedding,
            both.position_embedding.position_embeddings,
        )
    norm = backbone.get_layer("embeddings_layer_norm")
    found = {
        "word_embedding/embeddings": words.embeddings,
        "position_embedding/embeddings": positions,
        "embedding_norm/gamma": norm.gamma,
        "embedding_norm/beta": norm.beta,
    }
    if has_types:
        types = backbone.get_layer("segment_embedding").embeddings
        found["type_embedding/embeddings"] = types
    for index in range(model.num_layers):
        layer = backbone.get_layer(f"transformer_layer_{index}")
        found |= {
            f"encoder_{index}/{name}": weight for name, weight in _block(layer).items()
        }
    shapes = {weight_address(weight): tuple(weight.shape) for weight in model.weights}
    # KerasHub keeps heads apart: (units, heads, head size).
    return {
        name: np.asarray(weight, "float32").reshape(shapes[name])
        for name, weight in found.items()
    }


def _block(layer) -> dict:
    attention = layer._self_attention_layer
    dense = {
        "attention/query": attention.query_dense,
        "attention/key": attention.key_dense,
        "attention/value": attention.value_dense,
        "attention/output": attention.output_dense,
        "feed_forward/hidden": layer._feedforward_intermediate_dense,
        "feed_forward/output": layer._feedforward_output_dense,
    }
    norms = {
        "attention_norm": layer._self_attention_layer_norm,
        "feed_forward_norm": layer._feedforward_layer_norm,
    }
    found = {f"{name}/kernel": part.kernel for name, part in dense.items()}
    found |= {f"{name}/bias": part.bias for name, part in dense.items()}
    found |= {f"{name}/gamma": part.gamma for name, part in norms.items()}
    return found | {f"{name}/beta": part.beta for name, part in norms.items()}


def _convert_folder(folder: Path) -> Preset:
    _check_sizes(folder)
    return convert_keras_hub(str(folder))


def _check_sizes(folder: Path) -> None:
    """Refuses a config whose weights could not lie in the file that is there."""
    sizes = read_config(folder).get("config")
    weights = folder / "model.weights.h5"
    if not isinstance(sizes, dict) or not weights.is_file():
        raise ValueError(
            f"{folder} must have a config of its sizes in config.json, and "
            "model.weights.h5."
        )
    names = ("vocabulary_size", "hidden_dim", "num_layers", "intermediate_dim")
    names += ("max_sequence_length",)
    found = {name: sizes.get(name, 1) for name in names}
    if not all(isinstance(size, int) and size > 0 for size in found.values()):
        raise ValueError(f"{folder}/config.json has sizes that are none: {found}.")
    units = found["hidden_dim"]
    block = found["num_layers"] * (4 * units + 2 * found["intermediate_dim"])
    rows = found["vocabulary_size"] + found["max_sequence_length"] + block
    # A number takes a byte at least.
    if rows * units > weights.stat().st_size:
        raise ValueError(
            f"{folder}/config.json asks for {rows * units:,} weights, and "
            f"{weights.name} has {weights.stat().st_size:,} bytes."
        )


def _is_keras_hub(path: Path) -> bool:
    return str(peek_config(path).get("registered_name")).startswith("keras_hub>")


FAMILY = Family(
    name="keras_hub",
    looks_for="config.json of KerasHub, model.weights.h5 and assets/ (its BertBackbone "
    "or DistilBertBackbone)",
    recognises=_is_keras_hub,
    convert=_convert_folder,
)
# A handle, which KerasHub fetches by itself.
BY_NAME = Family(
    name="keras_hub",
    looks_for="keras_hub:NAME",
    recognises=lambda path: False,
    convert=lambda path: convert_keras_hub(str(path)),
)
