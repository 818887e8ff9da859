"""Classifiers of random weights over small vocabularies, for tests of their tasks."""

import numpy as np

import zoo
from zoo.data.labelled_text import LabelledText

ENGLISH = ["Where is the cat?", "The cat sat there. It is old.", "Is the café here?"]
CHINESE = ["我喜欢猫。", "狗不喜欢猫。我说。", "猫在哪里？"]
DATA = LabelledText(ENGLISH + CHINESE, ["en", "en", "question", "zh", "zh", "question"])
TWICE = DATA.chosen([*range(6), *range(6)])
MULTI = LabelledText(DATA.texts * 2, ["a|b", "b", "", "a|c", "c", "b"] * 2)
NUMBERS = LabelledText(DATA.texts * 2, ["1", "2.5", "4", "-3", "0", "7"] * 2)
PAIRS = LabelledText(TWICE.texts, TWICE.labels, TWICE.texts[::-1])
NAMES = ("rnn", "transformer", "hierarchical", "bert")


def recipe_of(name, **options):
    return zoo.get(f"text_classification_{name}", size="tiny", **options)


def learn(name="rnn", data=TWICE, **options):
    """A recipe's task, learnt, and the recipe."""
    recipe = recipe_of(name, vocabulary_size=90, **options)
    return recipe.task.resolve().learn(data, **recipe.task.options), recipe


def random_model(task, recipe, scale=0.5):
    """The recipe's model with every weight random."""
    model = recipe.build_model(task.model_options())
    random = np.random.default_rng(7)
    for weight in model.weights:
        weight.assign(random.normal(scale=scale, size=tuple(weight.shape)))
    return model


def make_runner(name="rnn", data=TWICE, **options):
    task, recipe = learn(name, data, **options)
    return task.runner(random_model(task, recipe))
