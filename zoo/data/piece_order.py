"""Foreign SentencePiece models with the special ids of this project."""

import numpy as np

_CONTROL, _UNKNOWN = 3, 2


def in_own_order(proto: bytes) -> tuple[bytes, np.ndarray]:
    """Numbers a SentencePiece model's pieces anew, so that `Vocabulary` takes it.

    Padding, start, end and unknown become 0 to 3; all other pieces follow in the order
    they had. Texts are cut into the same pieces as before. A model of Marian's, which
    has an end and an unknown piece alone, gets the two others.

    Args:
        proto: the serialised model.

    Returns:
        The model with other ids, and for each of these what it was before, -1 where it
        is new.

    Raises:
        ValueError: no SentencePiece model, or one without an end or an unknown piece.
    """
    from google.protobuf.message import DecodeError
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto()
    try:
        model.ParseFromString(proto)
    except DecodeError as error:
        raise ValueError(f"Not a SentencePiece model: {error}.") from error
    names = [piece.piece for piece in model.pieces]
    spec = model.trainer_spec
    pieces, former = [], []
    for special, kind in (("pad", _CONTROL), ("bos", _CONTROL), ("eos", _CONTROL)):
        name = getattr(spec, f"{special}_piece")
        place = names.index(name) if name in names else -1
        if place >= 0 and model.pieces[place].type != kind:
            raise ValueError(
                f"The piece {name!r} is written in texts, and cannot stand for what is "
                "no text. Received: a SentencePiece model with such a piece."
            )
        if place < 0 and special == "eos":
            raise ValueError(
                "A model that writes must be able to end. Received: a SentencePiece "
                f"model without its end piece, {name!r}."
            )
        made = type(model.pieces[0])(piece=name, score=0.0, type=kind)
        pieces.append(made if place < 0 else model.pieces[place])
        former.append(place)
    unknown = [n for n, piece in enumerate(model.pieces) if piece.type == _UNKNOWN]
    if len(unknown) != 1:
        raise ValueError(
            "A SentencePiece model has one unknown piece. "
            f"Received: one with {len(unknown)}."
        )
    pieces.append(model.pieces[unknown[0]])
    former += unknown
    rest = [n for n in range(len(names)) if n not in set(former)]
    ordered = [*pieces, *(model.pieces[n] for n in rest)]
    # Copied before the field is emptied, for they belong to it.
    copies = [type(piece).FromString(piece.SerializeToString()) for piece in ordered]
    del model.pieces[:]
    model.pieces.extend(copies)
    for number, special in enumerate(("pad", "bos", "eos", "unk")):
        setattr(spec, f"{special}_id", number)
    spec.vocab_size = len(copies)
    return model.SerializeToString(), np.array([*former, *rest])
