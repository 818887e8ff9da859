"""The models whose answers `data/rest.json` and `data/grpc.json` hold."""

import json
import shutil
from pathlib import Path

import tensorflow as tf
import tensorflow_text
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from zoo.serving.model_config import ModelConfig, VersionPolicy

DATA = Path(__file__).parent / "data"
LABELS = ["negative", "neutral", "positive"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "movie"]
VOCABULARY += ["a", "the", "##s", "##ly", "was", "very"]
# Tokens of a text that count.
LENGTH = 8


class TextClassifier(tf.Module):
    """Mean of a text's embeddings, one dense layer, a softmax."""

    def __init__(self):
        weights = json.loads((DATA / "weights.json").read_text())
        self.embeddings = tf.Variable(weights["embeddings"])
        self.kernel = tf.Variable(weights["kernel"])
        self.bias = tf.Variable(tf.zeros(len(LABELS)))
        self.tokenizer = tensorflow_text.FastBertTokenizer(
            VOCABULARY, token_out_type=tf.int32
        )

    def functions(self, examples_name: str) -> dict:
        """Signatures by name.

        Args:
            examples_name: of the input of `classify` and `regress`.
        """
        texts = tf.TensorSpec([None], tf.string, "text")
        examples = tf.TensorSpec([None], tf.string, examples_name)
        return {
            "serving_default": tf.function(self.label, [texts]),
            "normalize": tf.function(self.normalize, [texts]),
            "classify": tf.function(self.classify, [examples]),
            "regress": tf.function(self.regress, [examples]),
        }

    def tokens(self, texts):
        return self.tokenizer.tokenize(texts).merge_dims(1, -1)

    def probabilities(self, texts):
        ids = self.tokens(texts)[:, :LENGTH].to_tensor(0, shape=(None, LENGTH))
        means = tf.reduce_mean(tf.gather(self.embeddings, ids), axis=1)
        return tf.nn.softmax(tf.matmul(means, self.kernel) + self.bias)

    def label(self, texts):
        probabilities = self.probabilities(texts)
        names = tf.gather(LABELS, tf.argmax(probabilities, axis=-1))
        normalizer = tensorflow_text.FastBertNormalizer(True)
        words = normalizer.normalize(texts)
        return {
            "label": tf.strings.join([names, words], separator="|"),
            "probs": probabilities,
            "n_slow": tf.cast(self.tokens(texts).row_lengths(), tf.int32),
        }

    def normalize(self, texts):
        folded = tensorflow_text.case_fold_utf8(texts)
        return {"output_0": tensorflow_text.normalize_utf8(folded, "NFKC")}

    def classify(self, examples):
        scores = self.probabilities(_texts(examples))
        classes = tf.tile([LABELS], [tf.shape(scores)[0], 1])
        return {"classes": classes, "scores": scores}

    def regress(self, examples):
        return {"outputs": self.probabilities(_texts(examples))[:, :1]}


def _texts(examples):
    features = {"text": tf.io.FixedLenFeature([], tf.string)}
    return tf.io.parse_example(examples, features)["text"]


def export_recorded(folder) -> list[ModelConfig]:
    """Writes `tiny` with one version and `multi` with two.

    The second version of `multi` classifies and regresses as TF Serving wants it said,
    and has warm-up records.
    """
    folder = Path(folder)
    _export(folder / "tiny" / "1", "examples")
    _export(folder / "multi" / "1", "inputs")
    shutil.copytree(folder / "multi" / "1", folder / "multi" / "2")
    _name_methods(folder / "multi" / "2" / "saved_model.pb")
    _write_warm_up(folder / "multi" / "2" / "assets.extra")
    both = VersionPolicy(specific=(1, 2))
    return [
        ModelConfig("tiny", folder / "tiny"),
        ModelConfig("multi", folder / "multi", both, {"stable": 1, "canary": 2}),
    ]


def _export(folder: Path, examples_name: str) -> None:
    model = TextClassifier()
    functions = model.functions(examples_name)
    tf.saved_model.save(model, str(folder), signatures=functions)


def _name_methods(path: Path) -> None:
    saved = SavedModel.FromString(path.read_bytes())
    for name in ("classify", "regress"):
        signature = saved.meta_graphs[0].signature_def[name]
        signature.method_name = f"tensorflow/serving/{name}"
    path.write_bytes(saved.SerializeToString())


def _write_warm_up(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    request = PredictRequest()
    request.model_spec.name = "multi"
    request.inputs["text"].CopyFrom(tf.make_tensor_proto(["Good movies", "bad"]))
    log = PredictionLog()
    log.predict_log.request.CopyFrom(request)
    with tf.io.TFRecordWriter(str(folder / "tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString())
