"""Marian's Transformer in plain NumPy, over the tensors of a checkpoint of the hub.

Written from Vaswani et al. (2017) with what Junczys-Dowmunt et al. (2018,
https://arxiv.org/abs/1804.00344) do otherwise: sines before cosines, a bias on the
output. One sentence pair, one head at a time, in float64, without padding. Matrices are
(out, in), so a product is `W @ x + b`.
"""

import math

import numpy as np

from tests.references import positions

ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0.0),
    "swish": lambda x: x / (1.0 + np.exp(-x)),
    "gelu": np.vectorize(lambda v: v * 0.5 * (1.0 + math.erf(v / math.sqrt(2.0)))),
}


def dense(rows, arrays, name):
    kernel = arrays[f"{name}.weight"].astype("float64")
    return np.array([kernel @ row + arrays[f"{name}.bias"] for row in rows])


def norm(rows, arrays, name):
    found = []
    for row in rows:
        spread = math.sqrt(((row - row.mean()) ** 2).mean() + 1e-5)
        scaled = (row - row.mean()) / spread
        found.append(scaled * arrays[f"{name}.weight"] + arrays[f"{name}.bias"])
    return np.array(found)


def attend(rows, memory, arrays, name, num_heads, causal=False):
    queries, keys, values = (
        dense(given, arrays, f"{name}.{part}_proj")
        for given, part in ((rows, "q"), (memory, "k"), (memory, "v"))
    )
    size = rows.shape[1] // num_heads
    context = np.zeros_like(queries)
    for head in range(num_heads):
        part = slice(head * size, (head + 1) * size)
        for place, query in enumerate(queries):
            seen = place + 1 if causal else len(keys)
            scores = keys[:seen, part] @ query[part] / math.sqrt(size)
            shares = np.exp(scores - scores.max())
            context[place, part] = shares / shares.sum() @ values[:seen, part]
    return dense(context, arrays, f"{name}.out_proj")


def logits(source, target, arrays, config):
    """Logits of the next token after each of the target's, shape (length, ids).

    Args:
        source: ids, the end among them.
        target: ids, the start first.
        arrays: by name, with the words of both sides and of the output.
        config: that of the checkpoint.
    """
    units = config["d_model"]
    scale = math.sqrt(units) if config["scale_embedding"] else 1.0

    def read(ids, name):
        places = np.array([positions.halves(n, units) for n in range(len(ids))])
        return arrays[name][ids].astype("float64") * scale + places

    def ended(rows, block):
        hidden = ACTIVATIONS[config["activation_function"]](
            dense(rows, arrays, f"{block}.fc1")
        )
        rows = rows + dense(hidden, arrays, f"{block}.fc2")
        return norm(rows, arrays, f"{block}.final_layer_norm")

    def seen(rows, memory, block, part, **options):
        heads = config["encoder_attention_heads"]
        name = f"{block}.{part}"
        rows = rows + attend(rows, memory, arrays, name, heads, **options)
        return norm(rows, arrays, f"{name}_layer_norm")

    memory = read(source, "model.encoder.embed_tokens.weight")
    for index in range(config["encoder_layers"]):
        block = f"model.encoder.layers.{index}"
        memory = ended(seen(memory, memory, block, "self_attn"), block)
    rows = read(target, "model.decoder.embed_tokens.weight")
    for index in range(config["decoder_layers"]):
        block = f"model.decoder.layers.{index}"
        rows = seen(rows, rows, block, "self_attn", causal=True)
        rows = ended(seen(rows, memory, block, "encoder_attn"), block)
    return rows @ arrays["lm_head.weight"].T + arrays["final_logits_bias"][0]
