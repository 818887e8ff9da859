"""An encoder of several feature maps: attention on one, convolutions between all."""
# RT-DETR (Zhao et al., 2024, https://arxiv.org/abs/2304.08069, section 4.2): attention
# within the coarsest map alone, which the finer ones are given from it. Departures:
# - one way, from coarse to fine, without the paper's way back and its extra blocks.
# - convolutions are normalised over the channels of each cell, so that neither batch
#   nor padding changes an answer.

import keras
from keras import layers, ops

from zoo.layers import SinePositions2D
from zoo.models.encoder_stack import make_encoder

# Shape letters: B batch, H height, W width, N cells, U units.


class FusionEncoder(layers.Layer):
    """Maps of a backbone to maps of one size of cell that know of one another.

    Args:
        strides: of the maps, finest first, each twice the one before.
        units: size of cells.
        hidden_size: inside the feed-forward networks.
        num_heads: of the attention.
        num_layers: blocks of attention on the coarsest map.
        dropout: rate in [0, 1).
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        maps: features, finest first, each of shape (batch, height, width, channels).
        masks: of their cells, each of shape (batch, height, width).
        training: whether dropout acts.

    Returns:
        The maps, each of shape (batch, height, width, units); and the weights of the
        last block of attention, shape (batch, heads, N, N), N cells of the coarsest
        map.

    Raises:
        ValueError: strides that do not double.
    """

    def __init__(
        self,
        strides,
        units: int,
        hidden_size: int,
        num_heads: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        strides = tuple(strides)
        if strides[1:] != tuple(2 * stride for stride in strides[:-1]):
            raise ValueError(
                "Each of strides must be twice the one before, for maps are fused one "
                f"by one. Received: strides={strides}."
            )
        self.units = units
        dtype = {"dtype": self.dtype_policy}
        self.projections = [
            layers.Dense(units, name=f"projection_{stride}", **dtype)
            for stride in strides
        ]
        self.projection_norms = [
            _norm(f"projection_norm_{stride}", dtype) for stride in strides
        ]
        self.encoder = make_encoder(
            num_layers,
            num_heads,
            units,
            hidden_size,
            norm="post",
            dropout=dropout,
            **dtype,
        )
        self.positions = SinePositions2D(units, name="positions", **dtype)
        # Of the finer maps, the coarsest of them first.
        finer = strides[-2::-1]
        self.fusions = [
            layers.Conv2D(units, 3, padding="same", name=f"fusion_{stride}", **dtype)
            for stride in finer
        ]
        self.fusion_norms = [_norm(f"fusion_norm_{stride}", dtype) for stride in finer]

    def build(self, channels):
        """Makes the weights.

        Args:
            channels: of each of the maps that it will be given.
        """
        shape = (None, None, self.units)
        for count, dense, norm in zip(
            channels, self.projections, self.projection_norms, strict=True
        ):
            dense.build((None, None, None, count))
            norm.build((None, *shape))
        for block in self.encoder:
            block.build(shape)
        for fusion, norm in zip(self.fusions, self.fusion_norms, strict=True):
            fusion.build((None, *shape))
            norm.build((None, *shape))
        self.built = True

    def call(self, maps, masks, training=False):
        maps = [
            norm(dense(features))
            for features, dense, norm in zip(
                maps, self.projections, self.projection_norms, strict=True
            )
        ]
        maps[-1], weights = self._self_attend(maps[-1], masks[-1], training)
        for number, (fusion, norm) in enumerate(
            zip(self.fusions, self.fusion_norms, strict=True)
        ):
            level = len(maps) - 2 - number
            features = maps[level] + _upsampled(maps[level + 1], masks[level])
            features = features * ops.cast(masks[level], features.dtype)[..., None]
            maps[level] = ops.relu(norm(fusion(features)))
        return maps, weights

    def _self_attend(self, features_BHWU, mask_BHW, training):
        """The encoder's blocks on one map, and the last one's weights."""
        weights = None
        shape = ops.shape(features_BHWU)
        batch = shape[0]
        mask_BN = ops.reshape(mask_BHW, (batch, -1))
        positions = ops.reshape(self.positions(mask_BHW), (batch, -1, self.units))
        values = ops.reshape(features_BHWU, (batch, -1, self.units))
        for block in self.encoder:
            values, weights = block(
                values,
                key_mask=mask_BN,
                positions=positions,
                return_weights=True,
                training=training,
            )
        return ops.reshape(values, shape), weights

    def compute_output_spec(self, maps, masks, training=False):
        outputs = [
            keras.KerasTensor((*each.shape[:-1], self.units), self.compute_dtype)
            for each in maps
        ]
        _, height, width, _ = maps[-1].shape
        cells = height * width if height and width else None
        shape = (maps[-1].shape[0], self.encoder[-1].attention.num_heads, cells, cells)
        return outputs, keras.KerasTensor(shape, self.compute_dtype)


def _norm(name, dtype):
    return layers.LayerNormalization(epsilon=1e-5, name=name, **dtype)


def _upsampled(features, finer_mask):
    """Every cell twice along both sides, as far as the finer map goes."""
    _, height, width = ops.shape(finer_mask)
    features = ops.repeat(ops.repeat(features, 2, axis=1), 2, axis=2)
    return features[:, :height, :width]
