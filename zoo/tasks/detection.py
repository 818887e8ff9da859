"""The task of detection: images with boxes, classes by name, a set of objects out."""
# TensorFlow is imported where it is used: a training from prepared arrays runs on a
# machine that has none.

import copy
from pathlib import Path
from typing import Literal

import numpy as np

from zoo.data.encoded_images import EncodedImages, ImageBatches
from zoo.data.image_augmentation import Augmentation, Sample
from zoo.data.image_splits import hold_out_images
from zoo.data.image_summary import (
    proposed_queries,
    summarise_images,
    warn_of_image_trouble,
)
from zoo.data.labelled_images import (
    LabelledImages,
    read_labelled_images,
    write_labelled_images,
)
from zoo.data.made_up_images import made_up_images
from zoo.data.object_classes import ObjectClasses
from zoo.files import read_json, write_json
from zoo.ops.boxes import from_corners
from zoo.tasks.task import Runner

HEADS = ("keep", "reset", "reuse")
_FORMAT = 1


class DetectionTask:
    """Images with boxes to batches, and a model's outputs to objects.

    Args:
        classes: what there is to find.
        num_queries: most objects that can be found in an image.
        classification: of the loss: "softmax", "focal" or "varifocal".
        shortest: length of an image's shortest side, as the model sees it, in pixels.
        longest: most length of its longest side.
        flips: how images are turned over while training, see `Augmentation`.
        crop_rate: share of training images of which only a part is used.
        least_scale: of training images, relative to what the model will see; crops make
            objects larger, so the middle of both is below 1 (Touvron et al., 2019,
            https://arxiv.org/abs/1906.06423).
        most_scale: likewise.
    """

    name = "detection"
    encoded_type = EncodedImages
    suffix = ".zip"
    scores_by_decoding = True
    finetuning_monitor = "score"
    finetuning_passes = 40
    finetuning_rate = 0.5
    # Classes of the data are taken where they differ: names say which are the same.
    default_head = "reuse"

    def __init__(
        self,
        classes: ObjectClasses,
        num_queries: int,
        classification: Literal["softmax", "focal", "varifocal"] = "varifocal",
        shortest: int = 320,
        longest: int = 512,
        flips: Literal["none", "horizontal", "turns", "all"] = "horizontal",
        crop_rate: float = 0.5,
        least_scale: float = 0.65,
        most_scale: float = 1.1,
    ):
        self.classes = classes
        self.num_queries = num_queries
        self.classification = classification
        self.shortest = shortest
        self.longest = longest
        self.flips = flips
        self.crop_rate = crop_rate
        self.least_scale = least_scale
        self.most_scale = most_scale

    @classmethod
    def learn(
        cls, data: LabelledImages, num_queries: int | None = None, **options
    ) -> "DetectionTask":
        """Takes the classes of training data, and as many queries as it asks for.

        Args:
            data: the training set, and no other.
            num_queries: most objects that can be found in an image; by default twice
                the most of any image of the data.
            **options: of the class.
        """
        classes = ObjectClasses.learn(data)
        return cls(classes, num_queries or proposed_queries(data), **options)

    @classmethod
    def load(cls, folder) -> "DetectionTask":
        options = read_json(Path(folder) / "task.json")
        if not isinstance(options, dict) or options.pop("format", None) != _FORMAT:
            raise ValueError(
                f"{Path(folder) / 'task.json'} has another format than {_FORMAT}, the "
                "one that this version of attention-zoo reads."
            )
        return cls(ObjectClasses.load(folder), **options)

    def save(self, folder) -> None:
        self.classes.save(folder)
        options = {name: getattr(self, name) for name in _OPTIONS}
        write_json(Path(folder) / "task.json", {"format": _FORMAT} | options)

    @staticmethod
    def read(path, images=None, fix: bool = False) -> LabelledImages:
        """Reads COCO or VOC data; see `zoo.data.labelled_images`."""
        return read_labelled_images(path, images, fix)

    @staticmethod
    def made_up(count: int, seed: int = 0) -> LabelledImages:
        """A made-up set: shapes on noise."""
        return made_up_images(count, seed)

    @staticmethod
    def write(data: LabelledImages, path) -> None:
        """Keeps images and boxes in one file, for `read_back`."""
        write_labelled_images(data, path)

    @staticmethod
    def read_back(path) -> LabelledImages:
        """Reads what `write` wrote."""
        return read_labelled_images(path)

    def summary(self, train: LabelledImages, valid: LabelledImages) -> list[str]:
        """What the data looks like, in lines; warns of what looks wrong."""
        found = summarise_images(train, valid, self.num_queries)
        warn_of_image_trouble(found)
        return found.lines()

    def hold_out(self, data: LabelledImages, kind: str | None = None) -> tuple:
        """Splits data into what to train on and what to validate on."""
        return hold_out_images(data)

    def check(self, train: LabelledImages, valid: LabelledImages) -> None:
        """Refuses data that does not go with what the task knows."""
        for data in (train, valid):
            self.classes.check(data)
            if all(crowds.all() for crowds in data.crowds):
                raise ValueError(
                    f"{data.origin or 'The data'} has no object besides crowds, so "
                    "there is nothing to learn or to measure. Add images that show "
                    "what is to be found."
                )

    def for_data(
        self, data: LabelledImages, head: str = "reuse", kind: str | None = None
    ) -> "DetectionTask":
        """The same task for other data, perhaps with the data's own classes."""
        if kind is not None:
            raise ValueError("kind is for text classification: leave it out.")
        if head not in HEADS:
            raise ValueError(f"head must be one of {HEADS}. Received: head={head!r}.")
        if head == "keep":
            self.classes.check(data)
            return self
        classes = ObjectClasses.learn(data)
        if head == "reuse" and set(classes.names) == {*self.classes.names} - {""}:
            return self
        other = copy.copy(self)
        other.classes = classes
        return other

    def head_rows(self, parent: "DetectionTask") -> list[int | None]:
        """Which output of another task's model means what each of this one's does."""
        rows = self.classes.rows_in(parent.classes)
        if self.classification == "softmax":
            rows.append(len(parent.classes))
        return rows

    def model_options(self) -> dict:
        return {"num_classes": len(self.classes), "num_queries": self.num_queries}

    @property
    def codec(self):
        """Image files to a model's inputs, in the graph."""
        return self._codec(1.0)

    def _codec(self, scale: float):
        """The same, of images larger by a factor."""
        from zoo.data.image_codec import ImageCodec

        return ImageCodec(round(self.shortest * scale), round(self.longest * scale))

    def encode(self, data: LabelledImages, training: bool = False) -> EncodedImages:
        """Decodes and resizes with the graph's own operations.

        Args:
            data: images with boxes.
            training: keep images as large as training may want them.
        """
        self.classes.check(data)
        augmentation, scale = None, 1.0
        if training:
            scale = max(1.0, self.most_scale)
            augmentation = Augmentation(
                self.flips,
                self.least_scale / scale,
                self.most_scale / scale,
                self.crop_rate,
            )
        decode = self._decoder(scale)
        samples = (self._sample(data, index, decode) for index in range(len(data)))
        return EncodedImages.from_samples(samples, augmentation)

    def _decoder(self, scale: float):
        """A compiled function of one file: its pixels at a scale, and its status."""
        import tensorflow as tf

        codec = self._codec(scale)

        def decode(file):
            found = codec.encode(file[None])
            return tf.cast(found["pixels"][0], tf.uint8), found["status"][0]

        spec = [tf.TensorSpec([], tf.string)]
        return tf.function(decode, input_signature=spec, autograph=False)

    def _sample(self, data: LabelledImages, index: int, decode) -> Sample:
        pixels, status = decode(data.images[index].read_bytes())
        status = status.numpy().decode()
        if status != "ok":
            raise ValueError(
                f"{data.images[index].name} of {data.origin} cannot be read: {status}."
            )
        real = ~data.crowds[index]
        boxes = _relative(data.boxes[index][real], data.sizes[index])
        names = zip(data.labels[index], real, strict=True)
        labels = [name for name, is_one in names if is_one]
        return Sample(pixels.numpy(), boxes, self.classes.encode(labels))

    def batches(self, encoded: EncodedImages, batch_tokens: int, seed: int | None):
        import keras

        # JAX compiles every shape anew, for as long as a hundred steps or more take.
        one_shape = keras.backend.backend() == "jax"
        return ImageBatches(encoded, batch_tokens, seed, one_shape=one_shape)

    def loss(self, label_smoothing: float):
        """What training makes smaller."""
        import keras

        from zoo.losses import SetLoss
        from zoo.tasks.host_assignment import assign_on_host

        on_host = keras.backend.backend() in ("tensorflow", "jax")
        match = {"match": assign_on_host} if on_host else {}
        if label_smoothing:
            raise ValueError(
                "Detection has no label smoothing. Received: "
                f"label_smoothing={label_smoothing}."
            )
        weight = 2.0 if self.classification == "focal" else 1.0
        return SetLoss(self.classification, class_weight=weight, **match)

    def metrics(self) -> dict:
        """None besides the parts of the loss: a score needs all images at once."""
        return {}

    def calibrated(self, model, batches) -> "DetectionTask":
        return self

    def score_batches(self, model, batches, data: LabelledImages) -> float:
        """AP on prepared images, on any backend; see `zoo.tasks.detection_scores`."""
        from zoo.tasks.detection_scores import score_batches

        return score_batches(self, model, batches, data)["AP"]

    def runner(self, model) -> Runner:
        from zoo.tasks.detection_runner import DetectionRunner

        return DetectionRunner(self, model)

    def describe(self) -> dict:
        """What a deployment wants to know of classes and images."""
        return {
            "labels": {
                "names": list(self.classes.names),
                "category_ids": list(self.classes.ids),
            },
            "num_queries": self.num_queries,
            "image": {"shortest": self.shortest, "longest": self.longest},
        }


_OPTIONS = (
    "num_queries",
    "classification",
    "shortest",
    "longest",
    "flips",
    "crop_rate",
    "least_scale",
    "most_scale",
)


def _relative(corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Corners in pixels to boxes as `zoo.ops.boxes` says; what lies outside is cut."""
    size = np.tile(np.array(size, np.float64), 2)
    return from_corners(np.clip(corners / size, 0, 1)).astype(np.float32)
