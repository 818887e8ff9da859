"""What transformers answers to arrays, in a process of its own.

    python -I transformers_process.py KIND FOLDER INPUTS.npz OUTPUTS.npz

TensorFlow and some builds of torch do not live in one process. Arrays are called
"number of the call/name of the argument", and answers likewise.
"""

import sys

import numpy as np
import torch
import transformers


def encoder(folder):
    model = transformers.AutoModel.from_pretrained(folder)

    def answers(**given) -> dict:
        states = model(**given, output_hidden_states=True).hidden_states
        return {str(number): state for number, state in enumerate(states)}

    return model, answers


def classifier(folder):
    kind = transformers.AutoModelForSequenceClassification
    model = kind.from_pretrained(folder)
    return model, lambda **given: {"outputs": model(**given).logits}


def detector(folder):
    # With auxiliary losses transformers computes another decoder than the weights are
    # of: what is normalised for a loss goes on to the next block.
    kind = transformers.DetrForObjectDetection
    model = kind.from_pretrained(folder, auxiliary_loss=False)

    def answers(**given) -> dict:
        found = model(**given)
        return {"logits": found.logits, "boxes": found.pred_boxes}

    return model, answers


def translator(folder):
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder)
    return model, lambda **given: {"logits": model(**given).logits}


def main(kind: str, folder: str, inputs: str, outputs: str) -> None:
    model, answers = {
        "encoder": encoder,
        "classifier": classifier,
        "detector": detector,
        "translator": translator,
    }[kind](folder)
    model.float().eval()
    calls: dict = {}
    for key, array in np.load(inputs).items():
        number, name = key.split("/")
        calls.setdefault(number, {})[name] = torch.tensor(array)
    found = {}
    with torch.no_grad():
        for number, given in calls.items():
            for name, values in answers(**given).items():
                found[f"{number}/{name}"] = values.numpy()
    np.savez(outputs, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
