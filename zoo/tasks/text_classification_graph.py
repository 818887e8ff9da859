"""Text classification as a graph: strings in, labels, scores and attention out."""

import functools

import tensorflow as tf

# Shape letters: B batch, L length, K labels, U size of a vector.


class TextClassificationGraph(tf.Module):
    """A model, its vocabulary and its labels, from raw text to labels by name.

    Prediction, evaluation and the exported SavedModel all run this.

    Args:
        reader: reads ids: has `read` and `classify` as a `TextClassifier` has.
        codec: strings to ids.
        labels: a `LabelSet`, or `None` for an encoder.
        temperature: what outputs are divided by.
        top_k: how many labels are named, the most probable first; `None` names all.
        has_pairs: whether each example is a pair of texts.
        variables: the model's, if its weights are no constants of the graph.
    """

    def __init__(
        self,
        reader,
        codec,
        labels,
        temperature: float = 1.0,
        top_k: int | None = None,
        has_pairs: bool = False,
        variables=(),
    ):
        super().__init__()
        object.__setattr__(self, "reader", reader)
        self.variables_ = [variable.value for variable in variables]
        self.codec = codec
        object.__setattr__(self, "labels", labels)
        self.temperature = temperature
        self.has_pairs = has_pairs
        if labels is not None and labels.kind != "regression":
            self.top_k = min(top_k or len(labels), len(labels))

    def classify(self, texts, pairs=None) -> dict:
        """What each text is.

        Args:
            texts: strings, shape (batch,).
            pairs: a second text for each, or `None`.

        Returns:
            `labels`, strings, and `scores`, floats, both (batch, top_k), the most
            probable first; `probabilities`, floats, (batch, labels), in the order of
            `labels.txt`; `truncated`, booleans, (batch,): a limit cut the text. Of a
            regression `values`, floats, (batch,), in place of the first three.
        """
        ids, truncated = self.ids(texts, pairs)
        vectors, _ = self._read(ids)
        return self._named(vectors) | {"truncated": truncated}

    def attend(self, texts, pairs=None) -> dict:
        """What each text is, and what the model looked at.

        Returns:
            What `classify` returns, and `attention`, floats, (batch, length), the
            weights of the pieces; `pieces`, strings, (batch, length), "" at padding;
            `starts` and `ends`, integers, (batch, length): where each piece stands in
            the text's UTF-8 bytes, both 0 for special tokens and padding. Pairs count
            as text, line break and second text.
        """
        ids, truncated = self.ids(texts, pairs)
        vectors, weights = self._read(ids)
        starts, ends = self.codec.spans(texts, pairs)
        return self._named(vectors) | {
            "truncated": truncated,
            "pieces": self.codec.pieces(ids),
            "starts": starts,
            "ends": ends,
            "attention": weights,
        }

    def outputs(self, texts, pairs=None) -> dict:
        """What the head gives, before any softmax: `outputs`, (batch, outputs)."""
        ids, _ = self.ids(texts, pairs)
        vectors, _ = self._read(ids)
        return {"outputs": self.reader.classify(vectors)}

    def embed(self, texts, pairs=None) -> dict:
        """The vector that stands for each text.

        Returns:
            `embeddings`, floats, (batch, size), of length 1; `truncated`.
        """
        ids, truncated = self.ids(texts, pairs)
        vectors, _ = self._read(ids)
        return {
            "embeddings": tf.math.l2_normalize(vectors, axis=-1),
            "truncated": truncated,
        }

    def examples(self, inputs) -> dict:
        """TF Serving's own form of classification and regression.

        Args:
            inputs: serialised `tf.train.Example`s with a feature `text` and, of
                pairs, `text_pair`; shape (batch,).

        Returns:
            `classes` and `scores`, (batch, top_k); of a regression `outputs`, (batch,).
        """
        feature = tf.io.FixedLenFeature([], tf.string)
        names = ("text", "text_pair") if self.has_pairs else ("text",)
        found = tf.io.parse_example(inputs, dict.fromkeys(names, feature))
        answer = self.classify(*(found[name] for name in names))
        if self.labels.kind == "regression":
            return {"outputs": answer["values"]}
        return {"classes": answer["labels"], "scores": answer["scores"]}

    def ids(self, texts, pairs=None):
        """Padded ids, and whether a limit cut the text."""
        ragged, truncated = self.codec.encode(texts, pairs)
        ids = ragged.to_tensor()
        # Even a batch of no texts has a position: recurrent layers need one.
        missing = tf.maximum(1 - tf.shape(ids)[1], 0)
        return tf.pad(ids, [[0, 0], [0, missing]]), truncated

    @functools.cached_property
    def _read(self):
        """One function for all signatures: constants in it are written once."""
        function = tf.function(
            lambda ids: self.reader.read(ids),
            input_signature=[self.ids_spec],
            autograph=False,
        )
        # Traced here and now: a save would trace a function again.
        return function.get_concrete_function()

    ids_spec = tf.TensorSpec([None, None], tf.int32)

    def _named(self, vectors_BU) -> dict:
        """Labels and their probabilities."""
        if self.labels is None:
            return {}
        outputs_BK = self.reader.classify(vectors_BU)
        if self.labels.kind == "regression":
            values_B = outputs_BK[:, 0]
            return {"values": values_B * self.labels.deviation + self.labels.mean}
        outputs_BK = outputs_BK / self.temperature
        is_single = self.labels.kind == "single"
        squash = tf.nn.softmax if is_single else tf.nn.sigmoid
        probabilities_BK = squash(outputs_BK)
        scores, rows = tf.math.top_k(probabilities_BK, self.top_k)
        return {
            "labels": tf.gather(tf.constant(self.labels.names), rows),
            "scores": scores,
            "probabilities": probabilities_BK,
        }
