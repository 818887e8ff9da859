"""What inputs and outputs of exported signatures are, a sentence each."""

TRANSLATION = {
    "texts": "Source texts, UTF-8; what is longer than the model reads is cut.",
    "translations": "The best translation; of `score` a translation to be scored.",
    "scores": "Log probability over a penalty for length, at most 0; higher is better.",
    "log_probabilities": "Natural logarithm of the translation's probability.",
    "truncated": "Whether a limit cut the text.",
    "source_pieces": 'Subword pieces of the source, "" behind its end token.',
    "source_lengths": "How many pieces the source has, the end token included.",
    "target_pieces": 'Subword pieces of the translation, "" behind its end token.',
    "target_lengths": "How many pieces the translation has, the end token included.",
    "alignment": "Weights of source pieces for each target piece; rows sum to 1.",
}

TEXT_CLASSIFICATION = {
    "texts": "UTF-8; what is longer than the model reads is cut.",
    "text_pairs": "The second text of each pair, UTF-8.",
    "inputs": "Serialised `tf.train.Example`s with a feature `text`, of pairs "
    "`text_pair` too.",
    "labels": "Names of labels, the most probable first.",
    "classes": "Names of labels, the most probable first.",
    "scores": "Their probabilities, 0 to 1.",
    "probabilities": "Of all labels, in the order of `assets.extra/labels.txt`.",
    "values": "The predicted number, in the units of the training data.",
    "outputs": "The predicted number, in the units of the training data.",
    "embeddings": "A vector of length 1.",
    "truncated": "Whether a limit cut the text.",
    "attention": "How much the model looked at each piece; 0 at padding.",
    "pieces": 'Subword pieces, "" at padding.',
    "starts": "Where each piece starts in the text, in bytes of UTF-8.",
    "ends": "Where each piece ends in the text, in bytes of UTF-8.",
    "sentence_attention": "How much the model looked at each sentence.",
    "sentence_starts": "Where each sentence starts in the text, in bytes of UTF-8.",
    "sentence_ends": "Where each sentence ends in the text, in bytes of UTF-8.",
}

DETECTION = {
    "image_bytes": "JPEG, PNG, GIF or BMP files of any size.",
    "pixels": "Decoded images of one size, red, green and blue, 0 to 255.",
    "boxes": "x_min, y_min, x_max, y_max in pixels of the image as looked at.",
    "scores": "Probabilities, 0 to 1, the best first; 0 behind `count`.",
    "labels": 'Names of classes; "" behind `count`.',
    "count": "How many objects there are.",
    "sizes": "Height and width of the image as looked at, in pixels.",
    "status": '"ok", or why an image could not be read; then nothing is found in it.',
    "attention": "How much each object looked at each cell of the finest feature map.",
    "self_attention": "How much each cell of the encoder's map looked at each other.",
    "attention_cells": "Rows and columns of that map which the image covers.",
    "self_attention_cells": "Rows and columns of that map which the image covers.",
}
