"""What a model answers, however it was asked: from Python, an export, or a server.

Nothing here needs TensorFlow or Keras.
"""

from zoo.answers.classifications import highlight_of, labels_of
from zoo.answers.detection_attention import DetectionAttention, pixels_of
from zoo.answers.detections import Detections, detections_of
from zoo.answers.translations import (
    Alignment,
    Translation,
    alignment_of,
    translations_of,
)

__all__ = [
    "Alignment",
    "DetectionAttention",
    "Detections",
    "Translation",
    "alignment_of",
    "detections_of",
    "highlight_of",
    "labels_of",
    "pixels_of",
    "translations_of",
]
