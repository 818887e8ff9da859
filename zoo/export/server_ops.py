"""Which operations a release of TF Serving has.

Core operations and attributes were read out of TensorFlow's wheels, a release of TF
Serving being built on the TensorFlow of the same number; those of TF Text out of
tensorflow/serving, model_servers/BUILD and workspace.bzl, and TF Text's wheels.
Operations of training, TPUs and XLA are left out.
"""

import re

# Releases of TF Serving that an export can be audited against, the oldest first.
RELEASES = tuple(f"2.{minor}" for minor in range(12, 21))
NEWEST = RELEASES[-1]
# The TensorFlow whose operations these tables begin from.
NEWEST_TENSORFLOW = "2.21"

# Linked in every one of them: they stayed at TF Text 2.12.1 until 2.19.
TEXT_OPS = frozenset(
    [
        "CaseFoldUTF8",
        "ConstrainedSequence",
        "FastBertNormalize",
        "FastWordpieceTokenizeWithOffsets",
        "FindSourceOffsets",
        "MaxSpanningTree",
        "NormalizeUTF8",
        "NormalizeUTF8WithOffsetsMap",
        "PhraseTokenize",
        "RegexSplitWithOffsets",
        "RougeL",
        "SentenceFragments",
        "SentenceFragmentsV2",
        "SentencepieceDetokenizeOp",
        "SentencepieceIdToStringOp",
        "SentencepieceOp",
        "SentencepieceStringToIdOp",
        "SentencepieceTokenizeOp",
        "SentencepieceTokenizeWithOffsetsOp",
        "SentencepieceVocabSizeOp",
        "SplitMergeTokenizeWithOffsets",
        "TFText>BoiseTagsToOffsets",
        "TFText>ByteSplitByOffsets",
        "TFText>ByteSplitWithOffsets",
        "TFText>FastSentencepieceDetokenize",
        "TFText>FastSentencepieceTokenize",
        "TFText>FastWordpieceDetokenize",
        "TFText>NgramsStringJoin",
        "TFText>OffsetsToBoiseTags",
        "TFText>PhraseDetokenize",
        "TFText>WhitespaceTokenizeWithOffsetsV2",
        "TokenizerFromLogits",
        "UnicodeScriptTokenizeWithOffsets",
        "WhitespaceTokenizeWithOffsets",
        "WordpieceTokenizeWithOffsets",
    ]
)
# Operations by the release that has them first.
_NEW_TEXT_OPS = {
    "2.20": {
        "TFText>RoundRobinGenerateMasks",
        "TFText>RoundRobinTrim",
        "TFText>Utf8Binarize",
    },
}
_NEW_CORE_OPS = {
    "2.13": {
        "CollectiveAllToAllV2",
        "DebugIdentityV3",
        "RaggedFillEmptyRows",
        "RaggedFillEmptyRowsGrad",
        "SegmentMaxV2",
        "SegmentMinV2",
        "SnapshotChunkDataset",
        "StochasticCastToInt",
    },
    "2.14": {
        "Conv",
        "SparseSegmentMeanGradV2",
        "SparseSegmentSqrtNGradV2",
        "SparseSegmentSumGradV2",
        "TFRecordDatasetV2",
    },
    "2.15": {"DumpTensor", "FFTND", "IFFTND", "IRFFTND", "RFFTND"},
    "2.16": {"DatasetFingerprint", "GlobalIterId", "ListSnapshotChunksDataset"},
    "2.17": {
        "CalibrationStatisticsSaver",
        "GlobalShuffleDataset",
        "IndexFlatMapDataset",
        "IteratorGetModelProto",
        "UpdateTaskIdAndGlobalCoreArray",
        "WeightedFlatMapDataset",
    },
    "2.18": {"CheckPinned"},
    "2.20": {"DecodeWebP"},
    "2.21": {"DecodeJxl"},
}
# Attributes, with the operations that got them.
_NEW_ATTRIBUTES = {
    "2.13": {
        "cardinality_options": {"DatasetCardinality"},
        "resize_if_index_out_of_bounds": {"TensorListSetItem"},
        "Tk": {"TopKV2"},
        "index_type": {"TopKV2"},
    },
    "2.14": {
        "low_priority_allowed_batch_sizes": {"BatchFunction"},
        "low_priority_batch_timeout_micros": {"BatchFunction"},
        "low_priority_max_batch_size": {"BatchFunction"},
        "low_priority_max_enqueued_batches": {"BatchFunction"},
        "shape_type": {"ConcatOffset"},
        "mesh": {"CopyToMesh"},
    },
    "2.15": {
        "is_stateless": {
            "CollectiveAllToAllV2",
            "CollectiveGatherV2",
            "CollectiveReduceScatterV2",
            "CollectiveReduceV2",
        },
        "calibration_method": {"CustomAggregator"},
        "initial_num_bins": {"CustomAggregator"},
        "max_percentile": {"CustomAggregator"},
        "min_percentile": {"CustomAggregator"},
        "sparse_gradient": {
            "SparseSegmentMean",
            "SparseSegmentMeanWithNumSegments",
            "SparseSegmentSqrtN",
            "SparseSegmentSqrtNWithNumSegments",
            "SparseSegmentSum",
            "SparseSegmentSumWithNumSegments",
        },
        "debug_name": {"VarHandleOp"},
    },
    "2.16": {
        "grad_x": {"BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"},
        "grad_y": {"BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"},
        "grad_a": {"MatMul"},
        "grad_b": {"MatMul"},
    },
    "2.17": {
        "mixed_priority_policy": {"BatchFunction"},
        "num_bins": {"CustomAggregator"},
        "bad_indices_policy": {"GatherNd"},
    },
    "2.18": {
        "batch_padding_policy": {"BatchFunction"},
        "force_synchronous": {"ExperimentalMapDataset", "MapDataset"},
        "use_unbounded_threadpool": {"ParallelMapDatasetV2"},
        "bad_indices_policy": {
            "ResourceScatterNdAdd",
            "ResourceScatterNdMax",
            "ResourceScatterNdMin",
            "ResourceScatterNdSub",
            "ResourceScatterNdUpdate",
            "ScatterNd",
            "ScatterNdAdd",
            "ScatterNdMax",
            "ScatterNdMin",
            "ScatterNdNonAliasingAdd",
            "ScatterNdSub",
            "ScatterNdUpdate",
            "TensorScatterAdd",
            "TensorScatterMax",
            "TensorScatterMin",
            "TensorScatterSub",
            "TensorScatterUpdate",
        },
    },
    "2.21": {
        "Tshape": {"TensorListGetItem"},
    },
}


def checked_release(server: str | None) -> str:
    """A release by two numbers, such as "2.20", of what a user wrote; or the newest.

    Raises:
        ValueError: there is no table for it.
    """
    if server is None:
        return NEWEST
    release = ".".join(re.split(r"[.-]", str(server))[:2])
    if release not in RELEASES:
        raise ValueError(
            f"server must be a release of TF Serving from {RELEASES[0]} to {NEWEST}. "
            f"Received: {server!r}."
        )
    return release


def first_release(op: str, attributes) -> tuple[str, str]:
    """The first release that has an operation of TensorFlow or TF Text.

    Args:
        op: its name.
        attributes: names of those that a node of it has.

    Returns:
        The release, and the attribute that it is for, "" if the operation itself is.
    """
    found = [(RELEASES[0], "")]
    for release, names in [*_NEW_TEXT_OPS.items(), *_NEW_CORE_OPS.items()]:
        found += [(release, "")] if op in names else []
    for release, table in _NEW_ATTRIBUTES.items():
        for name in sorted(attributes):
            found += [(release, name)] if op in table.get(name, ()) else []
    return max(found, key=lambda pair: number(pair[0]))


def number(release: str) -> tuple[int, ...]:
    """A release's numbers, which compare as releases do."""
    return tuple(int(part) for part in release.split("."))


def is_text_op(op: str) -> bool:
    """Whether an operation is one of TF Text's in some release."""
    return op in TEXT_OPS or any(op in names for names in _NEW_TEXT_OPS.values())
