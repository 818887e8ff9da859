"""Tiny students of Marian's, written as Marian writes them."""

import io
import re
import struct

import numpy as np
import sentencepiece

# Units, inside, heads, blocks of the encoder and of the decoder.
U, F, H, N, M = 12, 20, 3, 2, 3
CONFIG = f"""\
dec-cell: ssru
dec-depth: {M}
dim-emb: {U}
dim-vocabs:
  - 7
  - 7
enc-depth: {N}
input-types: []
tied-embeddings: false
tied-embeddings-all: true
transformer-decoder-autoreg: rnn
transformer-ffn-activation: relu
transformer-guided-alignment-layer: last
transformer-heads: {H}
transformer-postprocess: dan
transformer-postprocess-emb: d
transformer-postprocess-top: ""
transformer-preprocess: ""
type: transformer
version: v1.9.56 94aeaa46
"""
_TEXTS = ["a cat sat on the mat", "the dog sat", "um gato na mesa", "o cachorro come"]


def marian_vocabulary(size: int = 41, texts=_TEXTS) -> bytes:
    """Pieces as Marian learns them: the end is 0, unknown is 1, and that is all."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts * 5),
        model_writer=model,
        vocab_size=size,
        hard_vocab_limit=False,
        bos_id=-1,
        pad_id=-1,
        eos_id=0,
        unk_id=1,
        minloglevel=2,
        num_threads=1,
    )
    return model.getvalue()


def marian_arrays(random, rows: int, tables=("Wemb",)) -> dict[str, np.ndarray]:
    """Every array of a student, at random."""
    shapes = dict.fromkeys(tables, (rows, U))
    shapes["decoder_ff_logit_out_b"] = (1, rows)
    for side, count, attention in (("encoder", N, "self"), ("decoder", M, "context")):
        for n in range(1, count + 1):
            block = f"{side}_l{n}"
            for part in "qkvo":
                shapes[f"{block}_{attention}_W{part}"] = (U, U)
                shapes[f"{block}_{attention}_b{part}"] = (1, U)
            shapes |= {f"{block}_ffn_W1": (U, F), f"{block}_ffn_b1": (1, F)}
            shapes |= {f"{block}_ffn_W2": (F, U), f"{block}_ffn_b2": (1, U)}
            norms = [f"{block}_{attention}_Wo", f"{block}_ffn_ffn"]
            if side == "decoder":
                shapes |= {f"{block}_rnn_W": (U, U), f"{block}_rnn_Wf": (U, U)}
                shapes[f"{block}_rnn_bf"] = (1, U)
                norms.append(f"{block}_rnn_ffn")
            for norm in norms:
                shapes |= {f"{norm}_ln_{kind}": (1, U) for kind in ("scale", "bias")}
    return {
        name: random.normal("scale" in name, 0.4, size=shape).astype("float32")
        for name, shape in shapes.items()
    }


def int8_item(name: str, array) -> tuple[bytes, np.ndarray]:
    """A matrix as intgemm's files hold it, and the numbers that it stands for."""
    factor = np.float32(127.0 / np.abs(array).max())
    codes = np.round(array * factor).astype("int8")
    stored = codes if name.endswith("Wemb") else codes.T
    content = stored.tobytes() + struct.pack("<f", factor)
    return content, codes.astype("float32") / factor


def write_bin(path, arrays, config=CONFIG, int8=True) -> dict[str, np.ndarray]:
    """Writes a model.*.bin; what its numbers stand for comes back."""
    items, meant = [], {}
    for name, array in sorted(arrays.items()):
        meant[name] = array
        content, kind = array.tobytes(), 0x0404
        if int8 and re.fullmatch(r".*(Wemb|_W\w?)", name):
            content, meant[name] = int8_item(name, array)
            kind = 0x4101
            ranges = np.full((1, 1), 9.5, "float32")
            items.append((f"{name}_QuantMultA", 0x0404, (1, 1), ranges.tobytes()))
        items.append((name, kind, array.shape, content))
    text = config.encode() + b"\0"
    items.append(("special:model.yml", 0x0101, (len(text),), text))
    write_items(path, items)
    return meant


def write_items(path, items, version: int = 1) -> None:
    """Writes (name, type, shape, bytes) as they are, each padded to 256 bytes."""
    padded = [
        (name.encode() + b"\0", kind, shape, content + bytes(-len(content) % 256))
        for name, kind, shape, content in items
    ]
    head = struct.pack("<QQ", version, len(padded))
    for name, kind, shape, content in padded:
        head += struct.pack("<QQQQ", len(name), kind, len(shape), len(content))
    head += b"".join(name for name, *_ in padded)
    for _, _, shape, _ in padded:
        head += struct.pack(f"<{len(shape)}i", *shape)
    gap = -(len(head) + 8) % 256
    head += struct.pack("<Q", gap) + bytes(gap)
    path.write_bytes(head + b"".join(content for *_, content in padded))
