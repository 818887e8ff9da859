"""Marian's students with a recurrent decoder, as Mozilla's Bergamot made them.

A folder as Firefox Translations keeps it: model.*.bin (or a model.npz), and vocab.*.spm
or, where the languages have a vocabulary each, srcvocab.*.spm and trgvocab.*.spm.
"""
# What does not come along:
# - the lexical shortlist (lex.*.bin), which leaves words out of the last product that
#   the source makes unlikely: it saves time, and the whole product needs no such file;
# - ranges of activations (*_QuantMultA): products here are of floats. The weights are
#   the numbers that their int8 stands for.

import re
from pathlib import Path

import numpy as np

from zoo import registry
from zoo.converters.family import Family
from zoo.converters.hugging_face import check_shapes, take_all
from zoo.converters.marian_binary import MarianWeights, read_marian
from zoo.converters.marian_config import read_marian_config
from zoo.converters.marian_decoding import NEVER
from zoo.data.piece_order import in_own_order
from zoo.data.vocabulary import PADDING_ID, START_ID, Vocabulary
from zoo.presets import Preset
from zoo.tasks.translation import TranslationTask
from zoo.weights import assign_arrays

# What the architecture here has; options that a file does not state are Marian's own.
_NEEDED = {
    "type": "transformer",
    "transformer-decoder-autoreg": "rnn",
    "dec-cell": "ssru",
    "transformer-preprocess": "",
    "transformer-postprocess": "dan",
    "transformer-postprocess-emb": "d",
}
_ABSENT = dict.fromkeys(
    (
        "layer-normalization",
        "output-omit-bias",
        "right-left",
        "transformer-no-projection",
        "transformer-pool",
        "transformer-rnn-projection",
        "transformer-train-position-embeddings",
        "ulr",
    ),
    "false",
)
_ABSENT |= {
    "input-types": [],
    "lemma-dim-emb": "0",
    "transformer-postprocess-top": "",
    "transformer-tied-layers": [],
}
_DEFAULTS = _ABSENT | {"transformer-ffn-depth": "2"}
_ATTENTION = {"query": "q", "key": "k", "value": "v", "output": "o"}
_UNUSED = re.compile(r".*_QuantMultA")
_MOZILLA = (
    "Mozilla's Firefox Translations models are under the Mozilla Public License 2.0 "
    "(https://mozilla.org/MPL/2.0/), which asks to keep this notice."
)


def recognises(folder: Path) -> bool:
    """Whether a folder looks like one of Bergamot's, by the names of its files."""
    try:
        names = [path.name for path in Path(folder).iterdir()]
    except OSError:
        return False
    return bool(_matching(names, _WEIGHTS)) and bool(_matching(names, _VOCABULARY))


def convert_bergamot(folder) -> Preset:
    """A student of Marian's as a preset of `translation_ssru`.

    Args:
        folder: with one file of weights and its vocabulary, or two of them.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: options that the architecture here does not have, or weights that do
            not fit.
    """
    folder = Path(folder)
    path = _only(folder, _WEIGHTS, "one file of weights: model.*.bin or model.*.npz")
    weights = read_marian(path)
    config = read_marian_config(weights.config, path)
    _check(config, path)
    is_shared = config.get("tied-embeddings-all") == "true"
    vocabularies, orders = _vocabularies(folder, is_shared)
    task = TranslationTask(*vocabularies)
    recipe = registry.get("translation_ssru", **_options(config, weights, task, path))
    model = recipe.build_model(task.model_options())
    found = take_all(weights.arrays, _names(model), _UNUSED.fullmatch, path)
    shapes = {"/".join(w.path.split("/")[1:]): tuple(w.shape) for w in model.weights}
    for address, array in found.items():
        if array.ndim == 2 and len(shapes[address]) == 1 and len(array) == 1:
            found[address] = array[0]
    _renumber(found, orders, path)
    assign_arrays(model, found, path)
    return Preset(recipe, task, model, _card(path, config, weights), folder.name)


def _check(config: dict, path) -> None:
    """Refuses options that would need other layers."""
    stated = _DEFAULTS | config
    wrong = [
        f"{name}: {stated.get(name, 'missing')!r}, needed {wanted!r}"
        for name, wanted in (_NEEDED | _DEFAULTS).items()
        if stated.get(name) != wanted
    ]
    if config.get("tied-embeddings-all") != "true" != config.get("tied-embeddings"):
        wrong.append("the output must be tied to the target's embedding")
    if wrong:
        raise ValueError(
            f"{path} is of another architecture than Marian's students with a "
            f"recurrent decoder (SSRU). {'; '.join(wrong)}."
        )


def _options(config: dict, weights: MarianWeights, task, path) -> dict:
    """The recipe's options that a file asks for."""
    try:
        heads, encoder, decoder, units = (
            int(config[name])
            for name in ("transformer-heads", "enc-depth", "dec-depth", "dim-emb")
        )
        hidden = weights.arrays["encoder_l1_ffn_W1"].shape[-1]
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{path} does not state its sizes ({error}).") from error
    last = config.get("transformer-guided-alignment-layer", "last")
    _check_sizes(weights.arrays, units, hidden, (encoder, decoder), path)
    return {
        "size": "small" if units <= 256 else "base",
        "vocabulary": (
            "shared" if task.source_vocabulary is task.target_vocabulary else "separate"
        ),
        "vocabulary_size": task.target_vocabulary.size,
        "units": units,
        "hidden_size": hidden,
        "num_heads": heads,
        "num_layers": encoder,
        "num_decoder_layers": decoder,
        "activation": config.get("transformer-ffn-activation", "swish"),
        # The one that guided alignment teaches.
        "alignment_head": 0 if last in ("last", str(decoder)) else None,
    }


def _check_sizes(arrays: dict, units: int, hidden: int, depths, path) -> None:
    """Compares sizes with arrays before a model is made: a config costs nothing."""
    tables = ("Wemb", "encoder_Wemb", "decoder_Wemb")
    shapes = {name: (None, units) for name in tables if name in arrays}
    for side, depth in zip(("encoder", "decoder"), depths, strict=True):
        if not 0 < depth <= len(arrays):
            raise ValueError(
                f"{path} says {side[:3]}-depth={depth}, and has {len(arrays)} arrays."
            )
        for number in range(1, depth + 1):
            shapes[f"{side}_l{number}_ffn_W1"] = (units, hidden)
    check_shapes(arrays, shapes, path, "options")


def _names(model) -> dict[str, str]:
    """Marian's names by the model's addresses."""
    names = {"output_bias": "decoder_ff_logit_out_b"}
    if model.share_embeddings:
        names["embedding/embeddings"] = "Wemb"
    else:
        names["source_embedding/embeddings"] = "encoder_Wemb"
        names["target_embedding/embeddings"] = "decoder_Wemb"
    for index in range(model.num_layers):
        ours, theirs = f"encoder_{index}", f"encoder_l{index + 1}"
        names |= _attention_names(f"{ours}/attention", f"{theirs}_self")
        names |= _feed_forward_names(ours, theirs)
    for index in range(model.num_decoder_layers):
        ours, theirs = f"decoder_{index}", f"decoder_l{index + 1}"
        names |= {
            f"{ours}/recurrence/update/kernel": f"{theirs}_rnn_W",
            f"{ours}/recurrence/forget/kernel": f"{theirs}_rnn_Wf",
            f"{ours}/recurrence/forget/bias": f"{theirs}_rnn_bf",
            **_norm_names(f"{ours}/recurrence_norm", f"{theirs}_rnn_ffn"),
            **_attention_names(f"{ours}/cross_attention", f"{theirs}_context"),
            **_feed_forward_names(ours, theirs),
        }
    return names


def _attention_names(ours: str, theirs: str) -> dict[str, str]:
    names = _norm_names(f"{ours}_norm", f"{theirs}_Wo")
    for part, letter in _ATTENTION.items():
        names[f"{ours}/{part}/kernel"] = f"{theirs}_W{letter}"
        names[f"{ours}/{part}/bias"] = f"{theirs}_b{letter}"
    return names


def _feed_forward_names(ours: str, theirs: str) -> dict[str, str]:
    names = _norm_names(f"{ours}/feed_forward_norm", f"{theirs}_ffn_ffn")
    for part, number in (("hidden", 1), ("output", 2)):
        names[f"{ours}/feed_forward/{part}/kernel"] = f"{theirs}_ffn_W{number}"
        names[f"{ours}/feed_forward/{part}/bias"] = f"{theirs}_ffn_b{number}"
    return names


def _norm_names(ours: str, theirs: str) -> dict[str, str]:
    return {f"{ours}/gamma": f"{theirs}_ln_scale", f"{ours}/beta": f"{theirs}_ln_bias"}


def _vocabularies(folder: Path, is_shared: bool) -> tuple[list, list]:
    """Source and target vocabulary, and what each of their ids was before."""
    if is_shared:
        what = "one vocabulary for both languages: vocab.*.spm"
        vocabulary, order = _vocabulary(_only(folder, _VOCABULARY, what))
        return [vocabulary, vocabulary], [order, order]
    found = [
        _vocabulary(
            _only(folder, re.compile(rf"{side}vocab.*\.spm"), f"one {side}vocab.*.spm")
        )
        for side in ("src", "trg")
    ]
    return [one for one, _ in found], [order for _, order in found]


def _vocabulary(path: Path):
    try:
        proto, order = in_own_order(path.read_bytes())
        return Vocabulary(proto), order
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def _renumber(arrays: dict, orders: list, path) -> None:
    """Gives words the rows of their new ids.

    The start's row is zeros, which is what Marian's decoder starts from.
    """
    source, target = orders
    for address, order, empty in (
        ("embedding/embeddings", target, 0.0),
        ("source_embedding/embeddings", source, 0.0),
        ("target_embedding/embeddings", target, 0.0),
        ("output_bias", target, NEVER),
    ):
        if address not in arrays:
            continue
        rows = arrays[address]
        if len(rows) != np.count_nonzero(order >= 0):
            raise ValueError(
                f"{path} has {len(rows)} rows of {address} for "
                f"{np.count_nonzero(order >= 0)} pieces: the vocabulary is of another "
                "model."
            )
        arrays[address] = rows[order]
        arrays[address][[PADDING_ID, START_ID]] = empty


def _card(path: Path, config: dict, weights: MarianWeights) -> dict:
    names = [name for name in weights.arrays if not _UNUSED.fullmatch(name)]
    steps = [weights.steps[name] for name in names if name in weights.steps]
    kinds = (
        f"matrices in int8 with steps of {min(steps):.2g} to {max(steps):.2g}"
        if steps
        else "in floats"
    )
    return {
        "recipe": "translation_ssru",
        "source": {
            "name": path.name,
            "architecture": "Marian Transformer with an SSRU decoder",
            "written_by": f"Marian {config.get('version', 'of an unknown version')}",
            "weights": f"{len(names)} arrays, {kinds}",
        },
        "notice": _MOZILLA,
    }


_WEIGHTS = re.compile(r"model(\..*)?\.(bin|npz)")
_VOCABULARY = re.compile(r"(src|trg)?vocab.*\.spm")


def _matching(names, pattern) -> list[str]:
    return sorted(name for name in names if pattern.fullmatch(name))


def _only(folder: Path, pattern, what: str) -> Path:
    """The one file of a folder with such a name."""
    if not folder.is_dir():
        raise FileNotFoundError(f"No such folder: {folder}.")
    found = _matching((path.name for path in folder.iterdir()), pattern)
    if len(found) == 1:
        return folder / found[0]
    kind = ValueError if found else FileNotFoundError
    raise kind(
        f"{folder} must hold {what}. Found: {', '.join(found) or 'none'}. Name a "
        "folder with the files of one model."
    )


FAMILY = Family(
    name="bergamot",
    looks_for="model.*.bin or model.*.npz of Marian, with vocab.*.spm or "
    "srcvocab.*.spm and trgvocab.*.spm (Firefox Translations, students with SSRU)",
    recognises=recognises,
    convert=convert_bergamot,
)
