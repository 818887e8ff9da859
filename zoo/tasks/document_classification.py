"""The task of classifying documents: texts cut into sentences."""

import functools

import numpy as np

from zoo.data.ragged import Ragged
from zoo.tasks.text_classification import (
    CHARACTERS_A_PIECE,
    TextClassificationTask,
    chunks_of,
)


class DocumentClassificationTask(TextClassificationTask):
    """Long texts, cut into sentences for a `HierarchicalClassifier`.

    Args:
        vocabulary, labels, max_pieces, class_weights, temperature, has_pairs: see
            `TextClassificationTask`; `max_pieces` bounds sentences times pieces.
        words: most pieces of a sentence; a longer one goes on as the next.
        sentences: most sentences of a document.

    Raises:
        ValueError: pairs of texts.
    """

    def __init__(self, *arguments, words: int = 32, sentences: int = 64, **options):
        super().__init__(*arguments, **options)
        self.words = words
        self.sentences = sentences
        if self.has_pairs:
            raise ValueError(
                "A hierarchical model reads single documents, not pairs of texts. "
                "Choose another recipe, or name the columns: --columns text,label."
            )

    def _options(self):
        own = {"words": self.words, "sentences": self.sentences}
        return super()._options() | own

    @functools.cached_property
    def codec(self):
        from zoo.data.sentence_codec import SentenceCodec
        from zoo.data.text_codec import TextCodec

        whole = TextCodec(self.vocabulary, self.max_characters, self.max_pieces)
        return SentenceCodec(whole, self.words, self.sentences)

    @property
    def max_characters(self) -> int:
        return CHARACTERS_A_PIECE * self.words * self.sentences

    def _encode_all(self, codec, data):
        rows, counts = [], []
        for texts, _ in chunks_of(data):
            ids, _ = codec.encode(texts)
            for document in ids.to_list():
                rows += document
                counts.append(len(document))
        return Ragged.from_rows(rows), np.cumsum(counts, dtype=np.int64)

    def make_graph(self, *arguments, **options):
        from zoo.tasks.document_classification_graph import DocumentClassificationGraph

        return DocumentClassificationGraph(*arguments, **options)
