"""How far a query moves its box."""

from keras import layers, ops


class BoxHead(layers.Layer):
    """Three dense layers that say how far an anchor moves; at first not at all.

    As in Deformable DETR (Zhu et al., 2021, https://arxiv.org/abs/2010.04159, appendix
    A.4) a move is added before the sigmoid that makes a box.

    Args:
        units: size of what queries hold.
        **kwargs: `name`, for `keras.layers.Layer`; it computes in float32.

    Call arguments:
        states: what queries hold, shape (batch, queries, units).
        boxes: where they stand, see `zoo.ops.boxes`, shape (batch, queries, 4).

    Returns:
        Boxes, of the shape of the boxes.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.hidden = [
            layers.Dense(units, activation="relu", name=f"dense_{n}", dtype="float32")
            for n in range(2)
        ]
        self.output_dense = layers.Dense(
            4, kernel_initializer="zeros", name="dense_2", dtype="float32"
        )

    def build(self, states_shape, boxes_shape=None):
        for dense in (*self.hidden, self.output_dense):
            dense.build(states_shape)
        self.built = True

    def call(self, states, boxes):
        for dense in self.hidden:
            states = dense(states)
        boxes = ops.clip(ops.cast(boxes, "float32"), 1e-3, 1 - 1e-3)
        return ops.sigmoid(self.output_dense(states) + ops.log(boxes / (1 - boxes)))
