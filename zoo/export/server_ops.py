"""Which operations a release of TF Serving has."""

# Operations of TF Text that tensorflow_model_server links in every release since 2.10
# (tensorflow/serving, model_servers/BUILD); those of SentencePiece since 2.2.
TEXT_OPS = {
    "FastWordpieceTokenizeWithOffsets",
    "NormalizeUTF8",
    "SentencepieceOp",
    "SentencepieceTokenizeOp",
    "SentencepieceTokenizeWithOffsetsOp",
    "SentencepieceDetokenizeOp",
    "SentencepieceVocabSizeOp",
    "SentencepieceIdToStringOp",
    "SentencepieceStringToIdOp",
}
