"""A converted encoder beside the library that it comes from."""

import numpy as np

# Enough lengths and scripts for every part to matter.
_TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "Hello",
    "L'élève déjà naïve, 知识就是力量, and $5.00 for a café — 🙂!",
    "word " * 60,
)


def compare_with_transformers(preset, folder) -> list[tuple[str, float]]:
    """The largest absolute difference of each layer's states on a padded batch.

    Args:
        preset: what `convert` made of `folder`.
        folder: the checkpoint.

    Returns:
        Rows of a layer's name and its difference; last the outputs, if it classifies.

    Raises:
        ImportError: transformers or torch is not installed.
    """
    try:
        import torch
        from transformers import AutoModel, AutoModelForSequenceClassification
    except ImportError as error:
        raise ImportError(
            "--verify compares with transformers and torch: pip install transformers "
            "torch, or leave it out."
        ) from error
    import tensorflow as tf

    ids = preset.task.codec.encode(tf.constant(_TEXTS))[0].to_tensor().numpy()
    real = ids != 0
    given = {
        "input_ids": torch.tensor(ids),
        "attention_mask": torch.tensor(real.astype("int64")),
    }
    with torch.no_grad():
        encoder = AutoModel.from_pretrained(str(folder)).eval()
        states = encoder(**given, output_hidden_states=True).hidden_states
        rows = [
            (_name(number), float(np.abs(np.asarray(own) - their.numpy())[real].max()))
            for number, (own, their) in enumerate(
                zip(preset.model.states(ids), states, strict=True)
            )
        ]
        if preset.model.head is not None:
            classifier = AutoModelForSequenceClassification
            outputs = classifier.from_pretrained(str(folder)).eval()(**given).logits
            own = np.asarray(preset.model({"token_ids": ids}))
            rows.append(("outputs", float(np.abs(own - outputs.numpy()).max())))
    return rows


def _name(number: int) -> str:
    return "embeddings" if number == 0 else f"block {number}"
