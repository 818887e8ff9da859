"""Detection as a graph: image files in, boxes in their own pixels out."""

import tensorflow as tf

from zoo.data.image_codec import OK
from zoo.ops.boxes import to_corners

# Shape letters: B images, Q queries, K objects, C classes, N cells.


class DetectionGraph(tf.Module):
    """A model and the names of its classes, from image files to objects by name.

    Prediction, evaluation and the exported SavedModel all run this.

    Args:
        model: a `zoo.models.Detector`.
        codec: image files to the model's inputs.
        names: of the classes; what is found of a class named "" is left out.
        threshold: lowest score of an object.
        most: objects of an image at most; by default as many as there are queries.
    """

    def __init__(self, model, codec, names, threshold: float, most: int | None = None):
        super().__init__()
        object.__setattr__(self, "model", model)
        self.variables_ = [variable.value for variable in model.variables]
        self.codec = codec
        object.__setattr__(self, "names", tuple(names))
        self.threshold = threshold
        self.most = min(most or model.num_queries, model.num_queries)

    def detect(self, image_bytes) -> dict:
        """What is in each image.

        Args:
            image_bytes: JPEG, PNG, GIF or BMP files, shape (images,).

        Returns:
            `boxes`, floats, (images, objects, 4): x_min, y_min, x_max, y_max in pixels
            of the image as looked at; `scores`, floats, and `labels`, strings, both
            (images, objects), the best first; `count`, integers, (images,): how many
            there are, behind which all is 0 and "". `sizes`, integers, (images, 2):
            height and width as looked at. `status`, strings, (images,): "ok", or why
            an image could not be read; then nothing is found in it.
        """
        inputs = self.codec.encode(image_bytes)
        found, _ = self._found(self.model(inputs, training=False), inputs)
        return found

    def detect_pixels(self, pixels) -> dict:
        """`detect`, for decoded images of one size: uint8, (images, H, W, 3)."""
        inputs = self.codec.encode_pixels(pixels)
        found, _ = self._found(self.model(inputs, training=False), inputs)
        return found

    def attend(self, image_bytes) -> dict:
        """What is in each image, and where the model looked for it.

        Returns:
            What `detect` returns, and `attention`, floats, (images, objects, rows,
            columns): how much each object's query looked at each cell of the finest
            feature map, heads and maps together, summing to 1 but for what coarse
            cells spread beyond the map. `self_attention`,
            floats, (images, rows, columns, rows, columns): how much each cell of the
            encoder's map looked at each other, mean of the heads.
            `attention_cells` and `self_attention_cells`, floats, (images, 2): how many
            rows and columns of these maps each image covers; the last ones in part.
        """
        inputs = self.codec.encode(image_bytes)
        outputs = self.model.attend(inputs)
        found, chosen_BK = self._found(outputs, inputs)
        cross, own = (
            tf.cast(outputs[f"{name}_attention"], tf.float32)
            for name in ("cross", "self")
        )
        weights_BQN = tf.reduce_mean(cross, axis=1)
        weights_BKN = tf.gather(weights_BQN, chosen_BK, batch_dims=1)
        rows, columns = tf.unstack(outputs["cells"][-1])
        weights = tf.reduce_mean(own, axis=1)
        shape = tf.stack([tf.shape(weights)[0], rows, columns, rows, columns])
        return found | {
            "attention": on_finest_map(weights_BKN, outputs["cells"]),
            "self_attention": tf.reshape(weights, shape),
            "attention_cells": _covered(inputs["mask"], outputs["strides"][0]),
            "self_attention_cells": _covered(inputs["mask"], outputs["strides"][-1]),
        }

    def _found(self, outputs, inputs):
        """Objects, the best first, and the query of each."""
        probabilities_BQC = self.model.probabilities(outputs["logits"][:, -1])
        named = tf.constant([bool(name) for name in self.names])
        probabilities_BQC = tf.where(named, probabilities_BQC, -1.0)
        scores_BK, queries_BK, classes_BK = self._best(probabilities_BQC)
        corners_BQ4 = tf.clip_by_value(to_corners(outputs["boxes"][:, -1]), 0.0, 1.0)
        corners_BK4 = tf.gather(corners_BQ4, queries_BK, batch_dims=1)
        readable_B1 = tf.equal(inputs["status"], OK)[:, None]
        real_BK = (scores_BK >= self.threshold) & readable_B1
        sides_B2 = tf.cast(inputs["sizes"][:, ::-1], tf.float32)
        scale_B14 = tf.tile(sides_B2, [1, 2])[:, None]
        names_BK = tf.gather(tf.constant(self.names), classes_BK)
        found = {
            "boxes": tf.where(real_BK[..., None], corners_BK4 * scale_B14, 0.0),
            "scores": tf.where(real_BK, scores_BK, 0.0),
            "labels": tf.where(real_BK, names_BK, ""),
            "count": tf.reduce_sum(tf.cast(real_BK, tf.int32), axis=1),
            "sizes": inputs["sizes"],
            "status": inputs["status"],
        }
        return found, queries_BK

    def _best(self, probabilities_BQC):
        """Scores, queries and classes of the best objects.

        Where classes share a query's probability, a query has one class; where each
        class is a yes or no, it may have several.
        """
        if self.model.classification == "softmax":
            best_BQ = tf.reduce_max(probabilities_BQC, axis=-1)
            scores_BK, queries_BK = tf.math.top_k(best_BQ, self.most)
            classes_BQ = tf.argmax(probabilities_BQC, axis=-1, output_type=tf.int32)
            return (
                scores_BK,
                queries_BK,
                tf.gather(classes_BQ, queries_BK, batch_dims=1),
            )
        classes = len(self.names)
        flat = tf.reshape(probabilities_BQC, [tf.shape(probabilities_BQC)[0], -1])
        scores_BK, places_BK = tf.math.top_k(flat, self.most)
        return scores_BK, places_BK // classes, places_BK % classes


def on_finest_map(weights_BKN, cells):
    """Attention to the cells of several maps, as attention to those of the finest.

    A coarse cell's weight is spread evenly over the fine cells that it covers.

    Args:
        weights_BKN: shape (images, objects, cells), maps one after the other.
        cells: rows and columns of each map, the finest first, shape (maps, 2).

    Returns:
        Shape (images, objects, rows, columns).
    """
    batch, objects, _ = tf.unstack(tf.shape(weights_BKN))
    rows, columns = cells[0][0], cells[0][1]
    total, start = tf.zeros([batch, objects, rows, columns]), 0
    for level in range(cells.shape[0]):
        height, width = cells[level][0], cells[level][1]
        part = weights_BKN[..., start : start + height * width]
        start += height * width
        part = tf.reshape(part, [batch, objects, height, width])
        times = 2**level
        part = tf.repeat(tf.repeat(part, times, axis=2), times, axis=3)
        total += part[:, :, :rows, :columns] / float(times) ** 2
    return total


def _covered(mask_BHW, stride):
    """Rows and columns of a map that each image covers, shape (images, 2), floats."""
    sides_B2 = tf.stack(
        [
            tf.reduce_sum(tf.cast(mask_BHW[:, :, 0], tf.float32), axis=1),
            tf.reduce_sum(tf.cast(mask_BHW[:, 0], tf.float32), axis=1),
        ],
        axis=1,
    )
    return sides_B2 / tf.cast(stride, tf.float32)
