"""The loss of a set of objects in plain NumPy, from Carion et al. (2020).

https://arxiv.org/abs/2005.12872, section 3.1; the matching's class cost of focal losses
from Zhu et al. (2021, https://arxiv.org/abs/2010.04159, appendix A.4). One image, one
query and one class at a time, in float64; SciPy matches. An image is a dictionary:
`labels` and `boxes` of its real objects, `logits` and `found` boxes of its queries.
"""

import math

import numpy as np
from scipy.optimize import linear_sum_assignment

from tests.references.boxes import overlap


def softmax(logits):
    total = sum(math.exp(logit) for logit in logits)
    return [math.exp(logit) / total for logit in logits]


def sigmoid(logit):
    return 1 / (1 + math.exp(-logit))


def focal(logit, wanted):
    """Lin et al. (2017), equation 5, with alpha = 0.25 and gamma = 2."""
    p = sigmoid(logit)
    if wanted:
        return -0.25 * (1 - p) ** 2 * math.log(p)
    return -0.75 * p**2 * math.log(1 - p)


def varifocal(logit, quality, is_matched):
    """Zhang et al. (2021), equation 2, with alpha = 0.75 and gamma = 2.

    Departure: 0 of a matched query with a quality of 0.
    """
    p = sigmoid(logit)
    if is_matched:
        log_likelihood = quality * math.log(p) + (1 - quality) * math.log(1 - p)
        return -quality * log_likelihood
    return -0.75 * p**2 * math.log(1 - p)


def distance(box, other):
    return sum(abs(a - b) for a, b in zip(box, other, strict=True))


def class_cost(kind, logits, label):
    if kind == "softmax":
        return -softmax(logits)[label]
    return focal(logits[label], True) - focal(logits[label], False)


def matched(kind, image, weights):
    """The query of each object that got one: equation 1."""
    costs = np.array(
        [
            [
                weights["class"] * class_cost(kind, logits, label)
                + weights["box"] * distance(box, found)
                - weights["overlap"] * overlap(box, found)[1]
                for logits, found in zip(image["logits"], image["found"], strict=True)
            ]
            for label, box in zip(image["labels"], image["boxes"], strict=True)
        ]
    ).reshape(len(image["labels"]), len(image["logits"]))
    return {int(t): int(q) for t, q in zip(*linear_sum_assignment(costs), strict=True)}


def class_losses(kind, image, query_of, no_object):
    """The loss of all queries of an image, and what its weights add up to."""
    object_of = {q: t for t, q in query_of.items()}
    loss, weight = 0.0, 0.0
    for q, logits in enumerate(image["logits"]):
        t = object_of.get(q)
        if kind == "softmax":
            own = no_object if t is None else 1.0
            row = len(logits) - 1 if t is None else image["labels"][t]
            loss -= own * math.log(softmax(logits)[row])
            weight += own
            continue
        for row, logit in enumerate(logits):
            wanted = t is not None and row == image["labels"][t]
            if kind == "focal":
                loss += focal(logit, wanted)
                continue
            quality = overlap(image["boxes"][t], image["found"][q])[0] if wanted else 0
            loss += varifocal(logit, quality, wanted)
    return loss, weight


def says_nothing(kind, logits):
    if kind == "softmax":
        return int(np.argmax(logits)) == len(logits) - 1
    return max(sigmoid(logit) for logit in logits) < 0.5


def set_loss(kind, images, weights):
    """All parts of one layer's loss over a batch: equation 2."""
    objects = max(1, sum(len(image["labels"]) for image in images))
    sums = dict.fromkeys(("class", "weight", "box", "overlap"), 0.0)
    wrong = close = pairs = nothing = queries = 0
    for image in images:
        query_of = matched(kind, image, weights)
        loss, weight = class_losses(kind, image, query_of, weights["no_object"])
        nothing += sum(says_nothing(kind, logits) for logits in image["logits"])
        queries += len(image["logits"])
        sums["class"] += loss
        sums["weight"] += weight
        for t, q in query_of.items():
            box, found = image["boxes"][t], image["found"][q]
            iou, generalised = overlap(box, found)
            sums["box"] += distance(box, found)
            sums["overlap"] += 1 - generalised
            wrong += int(np.argmax(image["logits"][q])) != image["labels"][t]
            close += iou >= 0.5
            pairs += 1
    by = sums["weight"] if kind == "softmax" else objects
    return {
        "class_loss": weights["class"] * sums["class"] / by,
        "box_loss": weights["box"] * sums["box"] / objects,
        "overlap_loss": weights["overlap"] * sums["overlap"] / objects,
        "class_error": wrong / max(1, pairs),
        "found": close / objects,
        "no_object": nothing / queries,
    }


def churn(kind, images, images_before, weights):
    """The share of objects whose query differs between two layers."""
    changed = pairs = 0
    for image, before in zip(images, images_before, strict=True):
        query_of = matched(kind, image, weights)
        query_before = matched(kind, before, weights)
        changed += sum(query_before.get(t) != q for t, q in query_of.items())
        pairs += len(query_of)
    return changed / max(1, pairs)
