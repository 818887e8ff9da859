"""The task of classifying texts with a vocabulary of word pieces, as BERT has one."""

import functools
from pathlib import Path

from zoo.tasks.text_classification import TextClassificationTask


class WordPieceClassificationTask(TextClassificationTask):
    """Texts as BERT reads them."""

    @staticmethod
    def learn_vocabulary(texts: list[str], size: int):
        from zoo.data.wordpiece_learning import learn_wordpiece

        return learn_wordpiece(texts, size)

    @staticmethod
    def load_vocabulary(folder: Path):
        from zoo.data.wordpiece_vocabulary import WordPieceVocabulary

        return WordPieceVocabulary.load(folder)

    def save_vocabulary(self, folder: Path) -> None:
        self.vocabulary.save(folder)

    def model_options(self) -> dict:
        return super().model_options() | {"separator_id": self.vocabulary.end_id}

    @functools.cached_property
    def codec(self):
        from zoo.data.wordpiece_codec import WordPieceCodec

        return WordPieceCodec(self.vocabulary, self.max_characters, self.max_pieces)
