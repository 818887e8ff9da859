"""What servers say of their models."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TensorSpec:
    """Type and shape of an input or an output.

    Attributes:
        dtype: as TensorFlow calls it: "string", "float", "int32" and so on.
        shape: sizes, `None` for any; or `None` if the number of axes is open.
    """

    dtype: str
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.dtype} of any shape"
        return f"{self.dtype} {tuple('?' if n is None else n for n in self.shape)}"


@dataclass(frozen=True)
class Signature:
    """What a signature takes and gives, by name.

    Attributes:
        inputs, outputs: specs by name.
        method: of TensorFlow, such as "tensorflow/serving/predict".
    """

    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]
    method: str


@dataclass(frozen=True)
class Metadata:
    """What a server says of a model.

    Attributes:
        model: its name.
        version: the one that answered.
        signatures: by name, those that can be asked.
    """

    model: str
    version: int
    signatures: dict[str, Signature]


# Of the loader's own; nobody can ask it.
INIT_OP = "__saved_model_init_op"


def spec_of(dtype: str, sizes, unknown_rank: bool) -> TensorSpec:
    """From a server's words for it.

    Args:
        dtype: such as "DT_FLOAT".
        sizes: of the axes, -1 for any.
        unknown_rank: whether sizes say nothing.
    """
    shape = tuple(None if int(size) < 0 else int(size) for size in sizes)
    return TensorSpec(
        dtype.removeprefix("DT_").lower(), None if unknown_rank else shape
    )
