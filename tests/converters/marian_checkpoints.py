"""Tiny Marian checkpoints in the layout of Hugging Face's hub, written by hand."""

import io
import json

import numpy as np
import sentencepiece
from safetensors.numpy import save_file

ENGLISH = [
    "The quick brown fox jumps over the lazy dog.",
    "Dogs and foxes are quick, lazy or brown.",
    "How vexingly quick daft zebras jump.",
]
GERMAN = [
    "Der schnelle braune Fuchs springt über den faulen Hund.",
    "Hunde und Füchse sind schnell, faul oder braun.",
    "Wie ärgerlich schnell dumme Zebras springen.",
]
# What both languages share: units, heads, and the sizes of both sides.
CONFIG = {
    "model_type": "marian",
    "architectures": ["MarianMTModel"],
    "d_model": 12,
    "encoder_attention_heads": 3,
    "decoder_attention_heads": 3,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_ffn_dim": 19,
    "decoder_ffn_dim": 23,
    "activation_function": "swish",
    "scale_embedding": True,
    "max_position_embeddings": 61,
    "eos_token_id": 0,
    "forced_eos_token_id": 0,
    "dropout": 0.1,
    "static_position_embeddings": True,
}
GENERATION = {
    "num_beams": 3,
    "max_length": 53,
    "renormalize_logits": True,
    "forced_eos_token_id": 0,
}


def learn(texts, size) -> bytes:
    """A SentencePiece model as Marian's are made: unknown 0, start 1, end 2."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        vocab_size=size,
        minloglevel=2,
        num_threads=1,
    )
    return model.getvalue()


def pieces_of(proto) -> list[str]:
    processor = sentencepiece.SentencePieceProcessor(model_proto=proto)
    return [processor.id_to_piece(n) for n in range(3, processor.get_piece_size())]


def number(pieces) -> dict[str, int]:
    """vocab.json: end and unknown first, padding last."""
    named = ["</s>", "<unk>", *pieces, "<pad>"]
    return {piece: place for place, piece in enumerate(dict.fromkeys(named))}


def shape_names(config, sources: int, targets: int) -> dict[str, tuple]:
    """Shapes by name, without the words under their further names."""
    units = config["d_model"]
    shapes = {
        "model.encoder.embed_tokens.weight": (sources, units),
        "model.decoder.embed_tokens.weight": (targets, units),
        "lm_head.weight": (targets, units),
        "final_logits_bias": (1, targets),
    }
    for side, attentions in (
        ("encoder", ["self_attn"]),
        ("decoder", ["self_attn", "encoder_attn"]),
    ):
        hidden = config[f"{side}_ffn_dim"]
        for index in range(config[f"{side}_layers"]):
            block = f"model.{side}.layers.{index}"
            parts = {"fc1": (hidden, units), "fc2": (units, hidden)}
            for attention in attentions:
                for part in ("q", "k", "v", "out"):
                    parts[f"{attention}.{part}_proj"] = (units, units)
            for part, shape in parts.items():
                shapes[f"{block}.{part}.weight"] = shape
                shapes[f"{block}.{part}.bias"] = shape[:1]
            for part in ("final_", *(f"{name}_" for name in attentions)):
                for kind in ("weight", "bias"):
                    shapes[f"{block}.{part}layer_norm.{kind}"] = (units,)
    return shapes


def make_arrays(random, config, sources: int, targets: int, shared=True, tied=True):
    """Every tensor at random, all words under every name that they have."""
    arrays = {
        name: random.normal(scale=0.4, size=shape).astype("float32")
        for name, shape in shape_names(config, sources, targets).items()
    }
    # Texts should end now and then.
    arrays["final_logits_bias"][0, config["eos_token_id"]] = 2.5
    own = arrays["model.decoder.embed_tokens.weight"]
    if shared:
        arrays["model.encoder.embed_tokens.weight"] = own
        arrays["model.shared.weight"] = own
    if tied:
        arrays["lm_head.weight"] = own
    return arrays


def write(folder, config, arrays, source, target, tables, generation=GENERATION):
    """Writes a checkpoint.

    Args:
        folder: a new one.
        config: of the model, without what the tables say.
        arrays: by name.
        source: a SentencePiece model.
        target: another one.
        tables: vocab.json, and target_vocab.json if there is one.
        generation: of generation_config.json.
    """
    folder.mkdir()
    padding = {"pad_token_id": tables[-1]["<pad>"]}
    padding["decoder_start_token_id"] = padding["pad_token_id"]
    sizes = {"vocab_size": len(tables[0]), "decoder_vocab_size": len(tables[-1])}
    contents = {
        "config.json": config | padding | sizes,
        "generation_config.json": generation
        | padding
        | {"bad_words_ids": [[padding["pad_token_id"]]], "eos_token_id": 0},
        "tokenizer_config.json": {
            "tokenizer_class": "MarianTokenizer",
            "separate_vocabs": len(tables) > 1,
        },
        "vocab.json": tables[0],
    }
    if len(tables) > 1:
        contents["target_vocab.json"] = tables[1]
    for name, content in contents.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    (folder / "source.spm").write_bytes(source)
    (folder / "target.spm").write_bytes(target)
    save_file(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()},
        folder / "model.safetensors",
    )
    return folder
