"""Models: layers wired together, tensors in and tensors out."""

from zoo.models.anchor_detr import AnchorDetr
from zoo.models.bert_classifier import BertClassifier
from zoo.models.detector import Detector
from zoo.models.detr import Detr
from zoo.models.efficientnet_lite import EfficientNetLite
from zoo.models.hierarchical_classifier import HierarchicalClassifier
from zoo.models.resnet import ResNet
from zoo.models.rnn_classifier import RNNClassifier
from zoo.models.rnn_seq2seq import RNNSeq2Seq
from zoo.models.ssru_transformer import SSRUTransformer
from zoo.models.text_classifier import TextClassifier
from zoo.models.transformer import Transformer
from zoo.models.transformer_classifier import TransformerClassifier

__all__ = [
    "AnchorDetr",
    "BertClassifier",
    "Detector",
    "Detr",
    "EfficientNetLite",
    "HierarchicalClassifier",
    "RNNClassifier",
    "RNNSeq2Seq",
    "ResNet",
    "SSRUTransformer",
    "TextClassifier",
    "Transformer",
    "TransformerClassifier",
]
