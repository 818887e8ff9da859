"""Keras layers, one public class a file."""

from zoo.layers.alibi_positions import ALiBiPositions
from zoo.layers.alignment_window import AlignmentWindow
from zoo.layers.anchor_decoder_block import AnchorDecoderBlock
from zoo.layers.attention_cell import AttentionCell
from zoo.layers.attention_pooling import AttentionPooling
from zoo.layers.bahdanau_attention import BahdanauAttention
from zoo.layers.bucketed_positions import BucketedPositions
from zoo.layers.conditional_attention import ConditionalAttention
from zoo.layers.conv_norm import ConvNorm
from zoo.layers.decoder_block import DecoderBlock
from zoo.layers.encoder_block import EncoderBlock
from zoo.layers.feed_forward import FeedForward
from zoo.layers.frozen_batch_norm import FrozenBatchNorm
from zoo.layers.hard_attention import HardAttention
from zoo.layers.luong_attention import LuongAttention
from zoo.layers.luong_cell import LuongCell
from zoo.layers.multi_head_attention import MultiHeadAttention
from zoo.layers.position_embedding import PositionEmbedding
from zoo.layers.position_scheme import PositionScheme
from zoo.layers.query_pooling import QueryPooling
from zoo.layers.relative_positions import RelativePositions
from zoo.layers.rotary_positions import RotaryPositions
from zoo.layers.scored_attention import ScoredAttention
from zoo.layers.sine_positions import SinePositions
from zoo.layers.sine_positions_2d import SinePositions2D
from zoo.layers.spatially_modulated_attention import SpatiallyModulatedAttention
from zoo.layers.ssru import SSRU
from zoo.layers.ssru_decoder_block import SSRUDecoderBlock

__all__ = [
    "SSRU",
    "ALiBiPositions",
    "AlignmentWindow",
    "AnchorDecoderBlock",
    "AttentionCell",
    "AttentionPooling",
    "BahdanauAttention",
    "BucketedPositions",
    "ConditionalAttention",
    "ConvNorm",
    "DecoderBlock",
    "EncoderBlock",
    "FeedForward",
    "FrozenBatchNorm",
    "HardAttention",
    "LuongAttention",
    "LuongCell",
    "MultiHeadAttention",
    "PositionEmbedding",
    "PositionScheme",
    "QueryPooling",
    "RelativePositions",
    "RotaryPositions",
    "SSRUDecoderBlock",
    "ScoredAttention",
    "SinePositions",
    "SinePositions2D",
    "SpatiallyModulatedAttention",
]
