"""What a model answers, however it was asked: from Python, an export, or a server.

Nothing here needs TensorFlow or Keras.
"""

from zoo.answers.detection_attention import DetectionAttention, pixels_of
from zoo.answers.detections import Detections, detections_of
from zoo.answers.translations import Alignment, Translation

__all__ = [
    "Alignment",
    "DetectionAttention",
    "Detections",
    "Translation",
    "detections_of",
    "pixels_of",
]
