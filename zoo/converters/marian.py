"""Marian's translation models, OPUS-MT among them, from the layout of the hub."""
# Where a preset does not follow transformers:
# - "</s>" and the like in a text are cut as any other text, so that who writes a text
#   cannot write special ids;
# - a translation has at most two tokens for each of the source, and ten more, as in
#   every preset; `generate` goes on to max_length;
# - the spaces before punctuation stay (`clean_up_tokenization_spaces` is off there too
#   by now), and punctuation is not rewritten before it is read: sacremoses, which the
#   tokenizer asks for, only serves its method `normalize`, which nothing calls.

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo import registry
from zoo.converters.checkpoint_folder import peek_config, read_config
from zoo.converters.family import Family
from zoo.converters.hugging_face import check_shapes, read_hub_arrays, take_all
from zoo.converters.marian_decoding import (
    NEVER,
    barred_ids,
    decoding_of,
    most_pieces,
    read_generation,
)
from zoo.converters.marian_tables import Table, read_tables
from zoo.converters.parity_marian import compare_marian
from zoo.data.vocabulary import START_ID
from zoo.presets import Preset
from zoo.tasks.translation import TranslationTask
from zoo.weights import assign_arrays

MODEL_TYPE = "marian"
# Options of older versions, which today's library takes for granted.
_NEEDED = {
    "normalize_before": False,
    "normalize_embedding": False,
    "add_final_layer_norm": False,
    "static_position_embeddings": True,
}
_ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "swish": "swish", "silu": "swish"}
_ATTENTION = {"query": "q_proj", "key": "k_proj", "value": "v_proj"}
_ATTENTION["output"] = "out_proj"
_FEED_FORWARD = {"hidden": "fc1", "output": "fc2"}
_SHARED, _BIAS = "model.shared.weight", "final_logits_bias"
_SOURCE = "model.encoder.embed_tokens.weight"
_TARGET = "model.decoder.embed_tokens.weight"
_OUTPUT = "lm_head.weight"
_POSITIONS = re.compile(r"model\.(en|de)coder\.embed_positions\.weight")
# What may be left over: words under further names, and what is computed.
_SPARE = re.compile(
    "|".join(
        [_POSITIONS.pattern, *map(re.escape, (_SHARED, _SOURCE, _TARGET, _OUTPUT))]
    )
)


def convert_marian(folder) -> Preset:
    """A translation model as a preset of `translation_transformer`.

    It decodes as generation_config.json says, by the rules of `generate`.

    Args:
        folder: in the hub's layout, with source.spm, target.spm and vocab.json.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: options that the architecture here does not have, or tensors that
            do not fit.
    """
    folder = Path(folder)
    config = read_config(folder)
    _check(config, folder)
    generation = read_generation(config, folder)
    source, target = read_tables(folder, config)
    arrays = read_hub_arrays(folder)
    words = _words(arrays, folder)
    _check_sizes(config, arrays, words, (source, target), folder)
    task = TranslationTask(
        source.vocabulary,
        target.vocabulary,
        max_pieces=most_pieces(config, generation, folder),
        decoding=decoding_of(generation, target, folder),
    )
    options = _options(config, words, target)
    recipe = registry.get("translation_transformer", **options)
    model = recipe.build_model(task.model_options())
    names = _names(model, words)
    if _BIAS not in arrays:
        arrays[_BIAS] = np.zeros(len(target.former), "float32")
    found = take_all(arrays, names, _SPARE.fullmatch, folder)
    _renumber(found, source, target)
    if generation.get("renormalize_logits"):
        found["output_bias"][barred_ids(generation, target, folder)] = NEVER
    turned = {
        address: np.ascontiguousarray(array.T) if "kernel" in address else array
        for address, array in found.items()
    }
    assign_arrays(model, turned, folder)
    return Preset(recipe, task, model, _card(folder, config, target), folder.name)


class Words(NamedTuple):
    """Which tensors hold the words of the source, of the target and of the output."""

    source: str
    target: str
    output: str

    @property
    def is_shared(self) -> bool:
        return self.source == self.target

    @property
    def is_tied(self) -> bool:
        return self.target == self.output


def _words(arrays: dict, folder) -> Words:
    """What holds the words; files repeat a tensor under each of its names, or do not.

    Raises:
        ValueError: there is none.
    """

    def first(*names) -> str:
        found = [name for name in names if name in arrays]
        if not found:
            raise ValueError(
                f"The tensors in {folder} are not those of its config.json. Missing: "
                f"{names[0]}."
            )
        return found[0]

    source = first(_SOURCE, _SHARED, _TARGET, _OUTPUT)
    target = first(_TARGET, _SHARED, _OUTPUT, _SOURCE)
    output = first(_OUTPUT, target)
    if np.array_equal(arrays[source], arrays[target]):
        source = target
    if np.array_equal(arrays[output], arrays[target]):
        output = target
    return Words(source, target, output)


def _check(config: dict, folder) -> None:
    """Refuses options that would need other layers."""
    wrong = [
        f"{name}: {config[name]!r}, needed {wanted!r}"
        for name, wanted in _NEEDED.items()
        if config.get(name, wanted) != wanted
    ]
    if config.get("activation_function", "gelu") not in _ACTIVATIONS:
        wrong.append(
            f"activation_function: {config['activation_function']!r}, needed one of "
            f"{', '.join(_ACTIVATIONS)}"
        )
    heads = [config.get(f"{side}_attention_heads") for side in ("encoder", "decoder")]
    if heads[0] != heads[1]:
        wrong.append(f"as many heads in the decoder as in the encoder: {heads}")
    if wrong:
        raise ValueError(
            f"{folder}/config.json asks for what the Transformer here does not have. "
            f"{'; '.join(wrong)}."
        )


def _check_sizes(config, arrays, words: Words, tables, folder) -> None:
    """Compares sizes with tensors before a model is made: a config costs nothing."""
    units = config["d_model"]
    shapes = {}
    for name, table in zip((words.source, words.target), tables, strict=True):
        shapes[name] = (table.count, units)
    for side in ("encoder", "decoder"):
        if not 0 < config[f"{side}_layers"] <= len(arrays):
            raise ValueError(
                f"{folder}/config.json says {side}_layers={config[f'{side}_layers']}, "
                f"and there are {len(arrays)} tensors."
            )
        for index in range(config[f"{side}_layers"]):
            inside = f"model.{side}.layers.{index}.fc1.weight"
            shapes[inside] = (config[f"{side}_ffn_dim"], units)
    check_shapes(arrays, shapes, folder, "config.json and vocab.json")
    _check_positions(arrays, folder)


def _check_positions(arrays: dict, folder) -> None:
    """Some files hold the positions, too: they must be those that are computed here."""
    for name in filter(_POSITIONS.fullmatch, arrays):
        length, size = arrays[name].shape
        angles = np.arange(length)[:, None] / 1e4 ** (np.arange(0, size, 2) / size)
        own = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
        if own.shape != (length, size) or not np.allclose(arrays[name], own, atol=1e-3):
            raise ValueError(
                f"{name} in {folder} holds other positions than sines and then cosines "
                "of Vaswani et al. (2017), which Marian's models have."
            )


def _options(config: dict, words: Words, target: Table) -> dict:
    """The recipe's options that a config asks for."""
    return {
        "size": "base",
        "norm": "post",
        "vocabulary": "shared" if words.is_shared else "separate",
        "vocabulary_size": target.vocabulary.size,
        "units": config["d_model"],
        "hidden_size": config["encoder_ffn_dim"],
        "decoder_hidden_size": config["decoder_ffn_dim"],
        "num_heads": config["encoder_attention_heads"],
        "num_layers": config["encoder_layers"],
        "num_decoder_layers": config["decoder_layers"],
        "activation": _ACTIVATIONS[config.get("activation_function", "gelu")],
        "position_layout": "halves",
        "embedding_scale": None if config.get("scale_embedding") else 1.0,
        "tie_output": words.is_tied,
        "dropout": config.get("dropout", 0.1),
    }


def _names(model, words: Words) -> dict[str, str]:
    """The checkpoint's names by the model's addresses."""
    own = "embedding" if words.is_shared else "target_embedding"
    names = {"output_bias": _BIAS, f"{own}/embeddings": words.target}
    if not words.is_shared:
        names["source_embedding/embeddings"] = words.source
    if not words.is_tied:
        names[f"{own}/reverse_embeddings"] = words.output
    for index in range(model.num_layers):
        parts = {"attention": "self_attn"}
        names |= _block_names("encoder", index, parts)
    for index in range(model.num_decoder_layers):
        parts = {"self_attention": "self_attn", "cross_attention": "encoder_attn"}
        names |= _block_names("decoder", index, parts)
    return names


def _block_names(side: str, index: int, attentions: dict) -> dict[str, str]:
    ours, theirs = f"{side}_{index}", f"model.{side}.layers.{index}"
    parts, norms = {}, {"feed_forward": "final_layer_norm"}
    for own, attention in attentions.items():
        norms[own] = f"{attention}_layer_norm"
        for part, name in _ATTENTION.items():
            parts[f"{own}/{part}"] = f"{attention}.{name}"
    for part, name in _FEED_FORWARD.items():
        parts[f"feed_forward/{part}"] = name
    names = {}
    for own, name in parts.items():
        names[f"{ours}/{own}/kernel"] = f"{theirs}.{name}.weight"
        names[f"{ours}/{own}/bias"] = f"{theirs}.{name}.bias"
    for own, name in norms.items():
        names[f"{ours}/{own}_norm/gamma"] = f"{theirs}.{name}.weight"
        names[f"{ours}/{own}_norm/beta"] = f"{theirs}.{name}.bias"
    return names


def _renumber(found: dict, source: Table, target: Table) -> None:
    """Gives words the rows of their new ids, and bars the start from being written."""
    for address in [*found]:
        if address.endswith("embeddings"):
            table = source if address.startswith("source") else target
            found[address] = found[address][table.former]
        if address.endswith("reverse_embeddings"):
            found[address] = found[address].T
    found["output_bias"] = found["output_bias"].reshape(-1)[target.former]
    found["output_bias"][START_ID] = NEVER


def _card(folder: Path, config: dict, target: Table) -> dict:
    card = {
        "recipe": "translation_transformer",
        "source": {
            "name": config.get("_name_or_path") or folder.name,
            "architecture": (config.get("architectures") or ["MarianMTModel"])[0],
            "family": MODEL_TYPE,
        },
    }
    # What a text must begin with, where there are several target languages.
    codes = [piece for piece in target.vocabulary.pieces if _CODE.fullmatch(piece)]
    return card | ({"target_codes": codes} if codes else {})


_CODE = re.compile(r">>.*<<")

FAMILY = Family(
    name=MODEL_TYPE,
    looks_for="config.json with model_type marian; model.safetensors or "
    "pytorch_model.bin; source.spm, target.spm and vocab.json (OPUS-MT)",
    recognises=lambda path: peek_config(path).get("model_type") == MODEL_TYPE,
    convert=convert_marian,
    compare=compare_marian,
    needs="torch transformers",
)
