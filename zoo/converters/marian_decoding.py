"""How a Marian checkpoint is to be decoded, from generation_config.json."""

from pathlib import Path

from zoo.converters.marian_tables import Table
from zoo.data.vocabulary import PADDING_ID, START_ID, UNKNOWN_ID
from zoo.files import read_json

# The logit of what is never written, low enough to weigh nothing and no lower: label
# smoothing counts it.
NEVER = -100.0
# What decoding here does not have, and what it must be then.
_PLAIN = {
    "repetition_penalty": 1.0,
    "encoder_repetition_penalty": 1.0,
    "diversity_penalty": 0.0,
    "num_beam_groups": 1,
    "do_sample": False,
    "forced_bos_token_id": None,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
    "force_words_ids": None,
    "constraints": None,
}
_STOPPING = {True: "full", False: "likely", "never": "sure"}
# Positions are computed here, so nothing but a config says how many there are, and time
# and memory grow with their square. Longer texts are cut here.
_MOST_PIECES = 4096


def read_generation(config: dict, folder: Path) -> dict:
    """How to decode: of generation_config.json, or of config.json as it once was."""
    path = folder / "generation_config.json"
    found = config
    if path.is_file():
        found = read_json(path)
        if not isinstance(found, dict):
            raise ValueError(f"{path} must be an object of JSON.")
    wrong = [
        f"{name}: {found[name]!r}"
        for name, plain in _PLAIN.items()
        if found.get(name, plain) not in (plain, None, [])
    ]
    if wrong:
        raise ValueError(
            f"{folder} is to be decoded as is not possible here: {'; '.join(wrong)}. "
            "Take it out of generation_config.json (or config.json) to go without."
        )
    return found


def most_pieces(config: dict, generation: dict, folder) -> int:
    """Most pieces of a source or target; the start token is no piece."""
    positions = _whole(config, "max_position_embeddings", 512, 1, folder)
    length = _whole(generation, "max_length", positions + 1, 2, folder)
    return min(length - 1, positions, _MOST_PIECES)


def _whole(found: dict, name: str, usual: int, least: int, folder) -> int:
    value = found.get(name)
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(
            f"{name} in {folder} must be a whole number from {least} on. "
            f"Received: {value!r}."
        )
    return value


def barred_ids(generation: dict, target: Table, folder) -> list[int]:
    """Own ids of what is never written."""
    found = generation.get("bad_words_ids") or []
    if any(not isinstance(words, list) or len(words) != 1 for words in found):
        raise ValueError(
            f"{folder} has bad_words_ids of several tokens, which decoding here cannot "
            f"leave out: {found}. Take them out of generation_config.json."
        )
    own = {former: number for number, former in enumerate(target.former)}
    if strange := [words[0] for words in found if words[0] not in own]:
        raise ValueError(
            f"bad_words_ids in {folder} are of a vocabulary of {target.count} pieces. "
            f"Received: {strange[0]!r}."
        )
    # Padding may be the start token, too.
    barred = {own[words[0]] for words in found}
    return sorted(barred | {PADDING_ID, START_ID})


def decoding_of(generation: dict, target: Table, folder) -> dict:
    """The same as fields of `DecodingOptions`."""

    def whole(name: str, usual: int = 0) -> int:
        return _whole(generation, name, usual, usual, folder)

    stopping = generation.get("early_stopping") or False
    if not isinstance(stopping, bool | str) or stopping not in _STOPPING:
        raise ValueError(
            f"early_stopping in {folder} must be true, false or 'never'. "
            f"Received: {stopping!r}."
        )
    penalty = generation.get("length_penalty", 1.0)
    if isinstance(penalty, bool) or not isinstance(penalty, int | float):
        raise ValueError(
            f"length_penalty in {folder} must be a number. Received: {penalty!r}."
        )
    barred = barred_ids(generation, target, folder)
    decoding = {
        "beam_size": whole("num_beams", 1),
        "length_penalty": penalty,
        "length_form": "plain",
        "stopping": _STOPPING[stopping],
        "min_length": max(whole("min_length") - 1, whole("min_new_tokens")),
        "no_repeat_ngram": whole("no_repeat_ngram_size"),
        "allow_unknown": UNKNOWN_ID not in barred,
        "suppress": [target.vocabulary.pieces[n] for n in barred if n > UNKNOWN_ID],
    }
    usual = {"min_length": 0, "no_repeat_ngram": 0, "suppress": []}
    return {
        name: value
        for name, value in decoding.items()
        if name not in usual or value != usual[name]
    }
