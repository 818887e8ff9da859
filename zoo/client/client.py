"""A client of TF Serving, over REST or gRPC."""

from collections.abc import Iterator, Sequence

import numpy as np

from zoo.answers import (
    Alignment,
    DetectionAttention,
    Detections,
    Translation,
    alignment_of,
    detections_of,
    highlight_of,
    labels_of,
    translations_of,
)
from zoo.client.images import image_batches, read_image
from zoo.client.model_client import ModelClient
from zoo.client.texts import checked_texts, text_inputs, text_pairs

_FOUND = ("boxes", "scores", "labels", "count", "sizes", "status")
_TEXTS, _IMAGES = 64, 8  # in a request, if `max_batch` says nothing


class Client(ModelClient):
    """Asks one model of a TF Serving, or of any server that speaks its protocols.

    Neither TensorFlow nor Keras is needed, nor loaded. Connections stay open between
    requests. Many threads may share a client. As a context manager it closes itself.

    What fails by chance is sent again, with growing random pauses: no connection, or
    one that broke; "UNAVAILABLE" (503); too many requests (429) where the server says
    when to come back. Anything else is raised at once.

    Args:
        url: "http://host:8501" or "https://…" for REST, "grpc://host:8500" or
            "grpcs://…" for gRPC. A path before /v1, as of a proxy, may follow. Of a
            certificate authority of one's own the environment names the file:
            SSL_CERT_FILE for REST, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH for gRPC.
        model: its name on the server.
        version: its number; the server's newest by default.
        label: of a version, such as "stable", in place of its number.
        timeout: seconds for each request, all tries and pauses included.
        retries: how often it is sent again at most, or `Retries`.
        max_batch: rows of a request at most; more are sent as several, one after the
            other, and the answers joined. By default `predict` sends all in one, and
            the others 64 texts or 8 images; of large images fewer, so that a request
            stays below the 32 MB that servers take.
        headers: sent with each request, such as {"Authorization": "Bearer …"}.

    Raises:
        ValueError: no such kind of address, or numbers out of range.

    Example:

        with Client("http://localhost:8501", "en-zh") as client:
            print(client.translate(["Where is the cat?"]))
    """

    def translate(self, texts: Sequence[str]) -> list[str]:
        """The best translation of each text.

        Args:
            texts: source texts, in any number.

        Raises:
            TypeError: no list of strings.
            ServerError: see `predict`.
        """
        inputs = {"texts": checked_texts(texts, "texts")}
        found: list[str] = []
        for answer in self._texts(inputs, "serving_default", ("translations",)):
            found += answer["translations"].tolist()
        return found

    def n_best(self, texts: Sequence[str]) -> list[list[Translation]]:
        """The best translations of each text, the best first.

        How many they are is said when the model is exported.
        """
        inputs = {"texts": checked_texts(texts, "texts")}
        names = ("translations", "scores", "truncated", "target_lengths")
        return [
            translations_of(answer, row)
            for answer in self._texts(inputs, "n_best", names)
            for row in range(len(answer["truncated"]))
        ]

    def score(self, texts: Sequence[str], translations: Sequence[str]) -> list[float]:
        """Log probability of each given translation, summed over its pieces.

        Args:
            texts: source texts.
            translations: one of each.

        Returns:
            Natural logarithms, at most 0.

        Raises:
            ValueError: another number of translations than texts.
        """
        inputs = text_pairs(texts, translations, "translations")
        found: list[float] = []
        for answer in self._texts(inputs, "score", ("log_probabilities",)):
            found += answer["log_probabilities"].tolist()
        return found

    def align(self, text: str) -> Alignment:
        """Translates one text and returns what each target piece looked at.

        `align(text).plot("heatmap.png")` draws it.
        """
        inputs = {"texts": checked_texts([text], "text")}
        names = ("translations", "scores", "truncated", "source_pieces", "alignment")
        names += ("target_pieces", "source_lengths", "target_lengths")
        (answer,) = self._texts(inputs, "with_alignment", names)
        return alignment_of(answer)

    def classify(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None
    ) -> list[list[tuple[str, float]]]:
        """Labels of each text with their probabilities, the most probable first.

        Args:
            texts: in any number.
            pairs: a second text for each, of a model for pairs.

        Returns:
            For each text as many (label, probability) as the model was exported with.
        """
        inputs = text_inputs(texts, pairs)
        return [
            labels_of(answer, row)
            for answer in self._texts(inputs, "serving_default", ("labels", "scores"))
            for row in range(len(answer["labels"]))
        ]

    def regress(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None
    ) -> list[float]:
        """The number of each text, of a model that was trained on numbers."""
        inputs = text_inputs(texts, pairs)
        found: list[float] = []
        for answer in self._texts(inputs, "serving_default", ("values",)):
            found += answer["values"].tolist()
        return found

    def highlight(self, text: str, pair: str | None = None):
        """Classifies one text and returns what the model looked at.

        Args:
            text: the text.
            pair: the second text, of a model for pairs.

        Returns:
            A `zoo.highlights.Highlight`; `terminal()` and `save(path)` show it.
        """
        inputs = text_inputs([text], None if pair is None else [pair])
        names = ("starts", "ends", "attention")
        (answer,) = self._texts(inputs, "with_attention", names)
        whole = text if pair is None else f"{text}\n{pair}"
        return highlight_of(whole, answer)

    def embed(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None
    ) -> np.ndarray:
        """The vectors that stand for texts, of length 1.

        Returns:
            float32, shape (texts, size); (0, 0) of no texts.
        """
        inputs = text_inputs(texts, pairs)
        parts = [
            answer["embeddings"]
            for answer in self._texts(inputs, "embed", ("embeddings",))
        ]
        return np.concatenate(parts or [np.zeros((0, 0))]).astype("float32")

    def detect(self, images: Sequence) -> list[Detections]:
        """The objects in each image.

        Args:
            images: paths of JPEG, PNG, GIF or BMP files, or their bytes.

        Raises:
            TypeError: something else.
            FileNotFoundError: no such file.
            ValueError: an image that the server could not read; the message says which.
        """
        if isinstance(images, str | bytes) or not isinstance(images, Sequence):
            raise TypeError(
                "images must be a list of paths or of files' bytes. Received: "
                f"{type(images).__name__}. Of one image pass [image]."
            )
        found: list[Detections] = []
        size = self.max_batch or _IMAGES
        for files in image_batches(images, size):
            inputs = {"image_bytes": [content for content, _ in files]}
            (answer,) = self.batches(inputs, "serving_default", _FOUND, size)
            for row, (_, name) in enumerate(files):
                if name == "The image":
                    name = f"Image {len(found)} of {len(images)}"
                found.append(detections_of(_row(answer, row), name))
        return found

    def look(self, image) -> DetectionAttention:
        """Finds objects in one image and returns where the model looked for them.

        `look(image).plot("attention.png")` draws it.

        Args:
            image: a path, or a file's bytes.
        """
        file, name = read_image(image)
        names = (*_FOUND, "attention", "attention_cells", "self_attention")
        names += ("self_attention_cells",)
        inputs = {"image_bytes": [file]}
        (answer,) = self.batches(inputs, "with_attention", names, 1)
        return DetectionAttention.of(_row(answer, 0), file, name)

    def _texts(self, inputs, signature: str, names: Sequence[str]) -> Iterator[dict]:
        return self.batches(inputs, signature, names, self.max_batch or _TEXTS)


def _row(answer: dict[str, np.ndarray], row: int) -> dict:
    """What a batch's answer says of one of its images."""
    return {name: values[row] for name, values in answer.items()}
