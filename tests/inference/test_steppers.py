"""Which layout is exported, and what is refused."""

import pytest

from zoo.decoding import ModelStepper
from zoo.inference import FoldedTransformer, exported_stepper
from zoo.models import RNNSeq2Seq, Transformer


@pytest.fixture(scope="module")
def recurrent():
    model = RNNSeq2Seq(19, 23, embedding_size=5, units=3)
    model.build(None)
    return model


@pytest.fixture(scope="module")
def transformer():
    model = Transformer(19, 23, 6, 11, 2, 1)
    model.build(None)
    return model


def test_a_transformer_is_folded_and_needs_no_variables(transformer):
    stepper, variables = exported_stepper(transformer, 13)
    assert isinstance(stepper, FoldedTransformer)
    assert variables == []


def test_another_model_steps_with_its_variables(recurrent):
    stepper, variables = exported_stepper(recurrent, 13)
    assert isinstance(stepper, ModelStepper)
    assert len(variables) == len(recurrent.variables) > 0


def test_unknown_weights_are_refused(transformer):
    with pytest.raises(ValueError, match=r"one of float32, int8\. Received: 'int7'"):
        exported_stepper(transformer, 13, "int7")


def test_int8_of_a_recurrent_model_is_refused(recurrent):
    with pytest.raises(ValueError, match="RNNSeq2Seq has no int8 layout"):
        exported_stepper(recurrent, 13, "int8", print)


def test_int8_without_texts_is_refused(transformer):
    with pytest.raises(ValueError, match="typical source texts"):
        exported_stepper(transformer, 13, "int8")


def test_int8_where_it_does_not_run_says_what_to_do(transformer, monkeypatch):
    monkeypatch.setattr("zoo.inference.steppers.int8_works", lambda: False)
    with pytest.raises(RuntimeError, match="TF_ENABLE_ONEDNN_OPTS=1"):
        exported_stepper(transformer, 13, "int8", print)
