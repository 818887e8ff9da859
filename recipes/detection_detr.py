"""Detection by a Transformer: a set of objects at once, one query an object.

zoo train detection_detr --train train.json --valid val.json --images DIR --out run
zoo evaluate run/preset --data test.json --images DIR
"""

from typing import Literal

from zoo.recipe import Part, Recipe, TrainingPlan
from zoo.registry import recipe

# Blocks of each stage (He et al., 2015, table 1).
_RESNETS = {"r50": (3, 4, 6, 3), "r101": (3, 4, 23, 3)}
# As large as the model sees an image, its shortest and its longest side.
_IMAGE = {"tiny": (64, 128), "small": (320, 512), "r50": (800, 1333)}
_IMAGE["r101"] = _IMAGE["r50"]


@recipe(task="detection", paper="https://arxiv.org/abs/2005.12872")
def detection_detr(
    size: Literal["tiny", "small", "r50", "r101"] = "small",
    anchors: Literal["encoder", "learnt", "none"] | None = None,
    classification: Literal["softmax", "focal", "varifocal"] | None = None,
    attention: Literal["modulated", "conditional"] | None = None,
    distinct: float | None = None,
    num_queries: int | None = None,
    shortest: int | None = None,
    longest: int | None = None,
    strides: tuple[int, ...] | None = None,
    denoising_groups: int = 0,
    dilation: bool = False,
    mask_padding: bool = True,
    flips: Literal["none", "horizontal", "turns", "all"] = "horizontal",
    crop_rate: float = 0.5,
) -> Recipe:
    """Objects as a set (Carion et al., 2020), and anchors that let it converge.

    Args:
        size: "r50" and "r101" are the paper's, whose public weights `zoo convert`
            reads; from scratch they need weeks on accelerators. "small" has 5 million
            weights, starts from an ImageNet backbone and learns a small data set on a
            CPU; "tiny" learns made-up shapes in a minute.
        anchors: where queries begin: at the encoder's best guesses, at boxes learnt
            for all images, or "none", the paper's own, which do not begin anywhere and
            need long trainings. "none" is all that "r50" and "r101" have, and
            "encoder" what the others have if not told.
        classification: "softmax" with a class for no object goes with "none"; "focal"
            and "varifocal", a yes or no for each class, go with anchors.
        attention: of queries to the image, with anchors: "modulated", close to the
            anchor from the first step (Gao et al., 2021), which is what they have if
            not told, or "conditional", which learns what close is (Meng et al., 2021).
        distinct: of the encoder's guesses those are left out that overlap with a better
            one by more than this IoU (Zhang et al., 2023), 0.7 if not told; 1 leaves
            out none. Goes with anchors=encoder.
        num_queries: most objects in an image; by default about twice the most in the
            training data, of "r50" and "r101" 100.
        shortest: an image is resized until its shortest side has this many pixels; the
            size's own if left out.
        longest: or until its longest side has this many.
        strides: of the feature maps that queries look at, powers of 2 from 8 to 32;
            finer ones for small objects. Of "small" alone.
        denoising_groups: noisy copies of the true objects to learn from besides; each
            makes a step longer. Goes with anchors.
        dilation: "DC5", a last map twice as fine. Of "r50" and "r101" alone.
        mask_padding: an image's answer does not depend on what its batch pads it with;
            False is how the public code of "r50" and "r101" runs.
        flips: how training images are turned over: "turns" is for those that have no
            up and down, as playing cards on a table; "all" for those that have no left
            and right either, as cells under a microscope.
        crop_rate: share of training images of which a part is used.

    Raises:
        ValueError: options that do not go together.
    """
    given = {
        "size": size,
        "anchors": anchors,
        "classification": classification,
        "attention": attention,
        "distinct": distinct,
        "num_queries": num_queries,
        "shortest": shortest,
        "longest": longest,
        "strides": strides,
        "denoising_groups": denoising_groups,
        "dilation": dilation,
        "mask_padding": mask_padding,
        "flips": flips,
        "crop_rate": crop_rate,
    }
    is_resnet = size in _RESNETS
    anchors = anchors or ("none" if is_resnet else "encoder")
    classification = classification or ("softmax" if anchors == "none" else "varifocal")
    strides = strides or ((8,) if size == "tiny" else (8, 16, 32))
    _check(given, is_resnet, anchors, classification)
    if is_resnet:
        backbone = {"blocks": _RESNETS[size], "dilation": dilation}
        backbone |= {"mask_padding": mask_padding}
        model = Part("zoo.models.detr:Detr", {"backbone": backbone})
        num_queries = num_queries or 100
    else:
        own = {"denoising_groups": denoising_groups}
        own |= {"attention": attention or "modulated"}
        own |= {"distinct": 0.7 if distinct is None else distinct}
        model = _light(size, anchors, strides, own)
    chosen = _IMAGE[size]
    return Recipe(
        name="detection_detr",
        options=given,
        task=Part(
            "zoo.tasks.detection:DetectionTask",
            {
                "num_queries": num_queries,
                "classification": classification,
                "shortest": shortest or chosen[0],
                "longest": longest or max(chosen[1], shortest or 0),
                "flips": flips,
                "crop_rate": crop_rate,
            },
        ),
        model=model,
        training=_plan(size, is_resnet),
        starts={"backbone": "efficientnet_lite0"} if size == "small" else {},
    )


def _light(size, anchors, strides, own: dict) -> Part:
    """A model over a light backbone; `own` options are those of anchors."""
    backbone = "tiny" if size == "tiny" else "lite0"
    sizes = {"units": 128, "hidden_size": 512, "num_heads": 8}
    if size == "tiny":
        sizes = {"units": 48, "hidden_size": 96, "num_heads": 4}
    if anchors == "none":
        options = {"backbone": {"size": backbone, "strides": strides[-1:]}}
        options |= {"num_layers": 3, **sizes}
        return Part("zoo.models.detr:Detr", options)
    options = {
        "backbone": backbone,
        "strides": strides,
        "num_layers": 2 if size == "tiny" else 3,
        "anchors": anchors,
        **own,
    }
    return Part("zoo.models.anchor_detr:AnchorDetr", options | sizes)


def _plan(size, is_resnet) -> TrainingPlan:
    if is_resnet:
        # As long as the paper's (appendix A.4): 300 epochs of 118,000 images, 64 at a
        # time. Its backbone came from ImageNet, and its rate fell once, at epoch 200.
        return TrainingPlan(
            steps=554_000,
            round_steps=2_000,
            batch_tokens=54_400,
            learning_rate=1e-4,
            schedule="cosine",
            warmup_steps=1_000,
            label_smoothing=0.0,
            clip_norm=0.1,
            weight_decay=1e-4,
            rates=(("backbone/.*", 0.1),),
            average_last=1,
        )
    plan = TrainingPlan(
        steps=3_000,
        round_steps=250,
        batch_tokens=640,
        learning_rate=4e-4,
        schedule="cosine",
        warmup_steps=200,
        label_smoothing=0.0,
        clip_norm=1.0,
        weight_decay=1e-4,
        rates=(("backbone/.*", 0.2),),
        ema_momentum=0.998,
        average_last=1,
        patience=12,
    )
    if size != "tiny":
        return plan
    return TrainingPlan(
        steps=400,
        round_steps=400,
        batch_tokens=72,
        learning_rate=2e-3,
        schedule="cosine",
        warmup_steps=40,
        label_smoothing=0.0,
        clip_norm=1.0,
        average_last=1,
    )


def _check(given, is_resnet, anchors, classification):
    size = given["size"]
    shown = ", ".join(f"{name}={value!r}" for name, value in given.items())
    wrong = ""
    if is_resnet and anchors != "none":
        wrong = "r50 and r101 are the paper's own: anchors=none"
    elif is_resnet and given["strides"]:
        wrong = "strides are of size=small; dilation=True makes a finer map of r50"
    elif size == "tiny" and given["strides"]:
        wrong = "strides are of size=small"
    elif anchors == "none" and len(given["strides"] or [0]) > 1:
        wrong = "anchors=none reads one map: give it one stride"
    elif not is_resnet and given["dilation"]:
        wrong = "dilation is of r50 and r101; name finer strides of size=small"
    elif not (is_resnet or given["mask_padding"]):
        wrong = "mask_padding=False is of r50 and r101"
    elif (anchors == "none") != (classification == "softmax"):
        wrong = "softmax goes with anchors=none, focal and varifocal with anchors"
    elif given["denoising_groups"] and anchors == "none":
        wrong = "denoising_groups go with anchors"
    elif given["attention"] and anchors == "none":
        wrong = "attention goes with anchors"
    elif given["distinct"] is not None and anchors != "encoder":
        wrong = "distinct goes with anchors=encoder"
    numbers = [given[name] or 1 for name in ("num_queries", "shortest", "longest")]
    if not wrong and (min(numbers) < 1 or given["denoising_groups"] < 0):
        wrong = "sizes and numbers must be at least 1"
    shares = given["crop_rate"], given["distinct"] or 0
    if not wrong and not all(0 <= share <= 1 for share in shares):
        wrong = "crop_rate and distinct are in [0, 1]"
    if wrong:
        raise ValueError(f"{wrong}. Received: {shown}.")
