"""Speed of a detector beside Hugging Face's on torch and beside onnxruntime.

    python benchmarks/detection.py --peer-python PATH [--checkpoint FOLDER]
        [--out FILE.md] [--threads 2] [--rounds 9] [--image-size PIXELS]

The model is DETR with a ResNet-50: FOLDER in the layout of Hugging Face's hub, or else
random weights. Ours is converted from it. That all find the same is checked first:
logits and boxes differ by at most 1e-4.

- "tensors": from tensors that are ready to logits and boxes. Ours takes pixels, and
  normalises and masks them within the time; the others get them normalised. All have
  the mask as an input. onnxruntime's graph is exported for the very shape, the others
  take any.
- "file": from the bytes of a JPEG file, 1.25 times as large as the model sees it, to
  boxes in its pixels. Ours is the export's own signature; the others have Hugging
  Face's image processor before and behind the model.
- "training step": dropout, loss with all auxiliary losses, matching by SciPy, gradients
  of all but the stem and the first stage, clipping, AdamW. Each image has 8 objects.

The share of the peak is the model's floating-point operations, counted by torch, over
ours's median time, against the best rate of any product of matrices or 3x3 convolution
that TensorFlow or torch reached in the same run.

What is reported is the ratio of times to ours, round by round, of contestants that take
turns (see `taking_turns.py`). `--peer-python` names an
interpreter that has torch, torchvision, timm, transformers, onnx, onnxscript and
onnxruntime. `--image-size` replaces all sizes, to try the command.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from taking_turns import ROOT, Worker, answer_all, ratios, seconds_of, spread, timed

CONTESTANTS = ("ours", "onnxruntime", "torch", "torch channels-last")
# kind, images, pixels of a side
CASES = (("tensors", 1, 800), ("tensors", 4, 640), ("file", 1, 800))
TRAINERS = ("ours", "torch channels-last")
TRAINING = ("training step", 4, 512)
OBJECTS, CLASSES = 8, 91
TOLERANCE = 1e-4
# Calls of a turn take about as long together, whatever their size.
SECONDS = 0.5
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# height and width, channels
CONVOLUTIONS = ((200, 64), (100, 128), (50, 256), (25, 512))
MATRIX = 2048


# What all have in common


def make_pixels(images: int, side: int):
    """Tiles of random colours, uint8."""
    import numpy as np

    tiles = -(-side // 16)
    numbers = np.random.default_rng(0).integers(0, 256, (images, tiles, tiles, 3))
    pixels = numbers.repeat(16, axis=1).repeat(16, axis=2)[:, :side, :side]
    return pixels.astype("uint8")


def normalised(pixels):
    """What the others read: float32, channels first."""
    import numpy as np

    values = (pixels / np.float32(255) - np.float32(MEAN)) / np.float32(DEVIATION)
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2))


def make_targets(images: int):
    import numpy as np

    generator = np.random.default_rng(0)
    boxes = 0.2 + 0.5 * generator.random((images, OBJECTS, 4))
    labels = generator.integers(0, CLASSES, (images, OBJECTS))
    return boxes.astype("float32"), labels.astype("int32")


def write_picture(path: Path, side: int) -> None:
    from PIL import Image

    Image.fromarray(make_pixels(1, side)[0]).save(path, "JPEG", quality=90)


def peak(multiply, convolutions: list) -> float:
    """The best rate of several attempts, in operations a second."""
    works = [(multiply, 2 * MATRIX**3)]
    for run, (side, channels) in zip(convolutions, CONVOLUTIONS, strict=True):
        works.append((run, 2 * 9 * side**2 * channels**2))
    for run, _ in works:
        run()
    return max(
        operations / min(timed(run) for _ in range(3)) for run, operations in works
    )


# Ours


def export_ours(folder: Path, cases) -> None:
    """Converts and exports, once as users do and once without reading files."""
    import tensorflow as tf

    from zoo.converters import convert
    from zoo.pretrained import Pretrained

    preset = convert((folder / "checkpoint").read_text())
    (side,) = {side for kind, _, side in cases if kind == "file"}
    preset.task.shortest, preset.task.longest = side, 2 * side
    version = Pretrained(preset).export(folder / "ours")
    (folder / "version").write_text(str(version))
    model = preset.model

    def detect(pixels, mask):
        outputs = model({"pixels": pixels, "mask": mask}, training=False)
        return {name: outputs[name][:, -1] for name in ("logits", "boxes")}

    specs = [
        tf.TensorSpec([None, None, None, 3], tf.uint8, name="pixels"),
        tf.TensorSpec([None, None, None], tf.bool, name="mask"),
    ]
    module = tf.Module()
    module.kept = [variable.value for variable in model.variables]
    function = tf.function(detect, input_signature=specs, autograph=False)
    tf.saved_model.save(module, str(folder / "ready"), signatures=function)


def ours(folder: Path, threads: int):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    def load(path):
        return tf.saved_model.load(str(path)).signatures["serving_default"]

    def prepare(kind, images, side):
        if kind == "peak":
            return _tensorflow_peak(tf)
        if kind == "training step":
            return _our_step(folder, images, side)
        if kind == "file":
            file = tf.constant([(folder / "picture.jpg").read_bytes()])
            detect = load((folder / "version").read_text())
            return lambda: detect(image_bytes=file)["boxes"].numpy()
        pixels = tf.constant(make_pixels(images, side))
        mask, detect = tf.ones((images, side, side), tf.bool), load(folder / "ready")

        def run():
            found = detect(pixels=pixels, mask=mask)
            return found["logits"].numpy(), found["boxes"].numpy()

        return run

    return prepare


def _tensorflow_peak(tf):
    matrix = tf.random.normal((MATRIX, MATRIX))

    def convolution(side, channels):
        values = tf.random.normal((1, side, side, channels))
        kernel = tf.random.normal((3, 3, channels, channels))
        run = tf.function(lambda: tf.nn.conv2d(values, kernel, 1, "SAME")[0, 0, 0, 0])
        return lambda: run().numpy()

    works = [convolution(*sizes) for sizes in CONVOLUTIONS]
    return lambda: peak(lambda: tf.matmul(matrix, matrix)[0, 0].numpy(), works)


def _our_step(folder, images, side):
    import keras
    import numpy as np

    from zoo.converters import convert

    preset = convert((folder / "checkpoint").read_text())
    model = preset.model
    for layer in (model.backbone.stem, *model.backbone.stages[0]):
        layer.trainable = False
    optimizer = keras.optimizers.AdamW(1e-4, weight_decay=1e-4, global_clipnorm=0.1)
    model.compile(loss=preset.task.loss(0.0), optimizer=optimizer)
    pixels = make_pixels(images, side)
    inputs = {"pixels": pixels, "mask": np.ones(pixels.shape[:3], bool)}
    boxes, labels = make_targets(images)
    targets = {"boxes": boxes, "labels": labels}
    return lambda: float(
        model.train_on_batch(inputs, targets, return_dict=True)["loss"]
    )


# The others


def make_checkpoint(path: Path) -> None:
    """Random weights, and statistics of normalisations that let signals through."""
    import torch
    from transformers import DetrConfig, DetrForObjectDetection

    torch.manual_seed(0)
    config = DetrConfig(
        use_timm_backbone=True, use_pretrained_backbone=False, num_labels=CLASSES
    )
    model = DetrForObjectDetection(config)
    between = {"weight": (0.3, 0.9), "bias": (-0.1, 0.1)}
    between |= {"running_mean": (-0.2, 0.2), "running_var": (0.3, 1.7)}
    for name, buffer in model.named_buffers():
        if (place := name.rpartition(".")[2]) in between:
            buffer.uniform_(*between[place])
    model.save_pretrained(path)


def export_peers(folder: Path, cases) -> None:
    """Makes random weights if none are given; exports a graph a shape; counts."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import DetrForObjectDetection

    path = folder / "checkpoint"
    if not path.exists():
        make_checkpoint(folder / "random")
        path.write_text(str(folder / "random"))
    # "eager" only to be exported and counted: the contestants take their own choice.
    model = DetrForObjectDetection.from_pretrained(
        path.read_text(), attn_implementation="eager", auxiliary_loss=False
    ).eval()

    class Answers(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, pixel_values, pixel_mask):
            found = self.model(pixel_values, pixel_mask)
            return found.logits, found.pred_boxes

    counts = {}
    for images, side in sorted({case[1:] for case in cases}):
        given = (
            torch.tensor(normalised(make_pixels(images, side))),
            torch.ones((images, side, side), dtype=torch.long),
        )
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(*given)
        counts[f"{images} {side}"] = counter.get_total_flops()
        torch.onnx.export(
            Answers().eval(),
            given,
            str(folder / f"{images}_{side}.onnx"),
            input_names=["pixel_values", "pixel_mask"],
            output_names=["logits", "boxes"],
            opset_version=18,
            dynamo=True,
        )
    (folder / "operations.json").write_text(json.dumps(counts))


def _file_to_boxes(folder: Path, side: int, detect):
    """Hugging Face's way from a file to boxes, around a model."""
    import torch
    from PIL import Image
    from transformers import DetrImageProcessor
    from transformers.models.detr.modeling_detr import DetrObjectDetectionOutput

    processor = DetrImageProcessor(
        size={"shortest_edge": side, "longest_edge": 2 * side}
    )
    file = (folder / "picture.jpg").read_bytes()

    def run():
        image = Image.open(io.BytesIO(file)).convert("RGB")
        given = processor(images=image, return_tensors="pt")
        logits, boxes = map(
            torch.as_tensor, detect(given["pixel_values"], given["pixel_mask"])
        )
        outputs = DetrObjectDetectionOutput(logits=logits, pred_boxes=boxes)
        (found,) = processor.post_process_object_detection(
            outputs, threshold=0.3, target_sizes=[image.size[::-1]]
        )
        return found["boxes"].numpy()

    return run


def onnxruntime(folder: Path, threads: int):
    import numpy as np
    import onnxruntime

    def prepare(kind, images, side):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            folder / f"{images}_{side}.onnx",
            options,
            providers=["CPUExecutionProvider"],
        )

        def detect(values, mask):
            given = {"pixel_values": values, "pixel_mask": mask}
            return session.run(None, {k: np.asarray(v) for k, v in given.items()})

        if kind == "file":
            return _file_to_boxes(folder, side, detect)
        values = normalised(make_pixels(images, side))
        mask = np.ones((images, side, side), "int64")
        return lambda: detect(values, mask)

    return prepare


def torch(folder: Path, threads: int, channels_last: bool = False):
    import torch
    from transformers import DetrForObjectDetection

    torch.set_num_threads(threads)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    path = (folder / "checkpoint").read_text()

    def load(auxiliary):
        model = DetrForObjectDetection.from_pretrained(path, auxiliary_loss=auxiliary)
        return model.to(memory_format=layout)

    def prepare(kind, images, side):
        if kind == "peak":
            return _torch_peak(torch, layout)
        values = torch.tensor(normalised(make_pixels(images, side)))
        values = values.to(memory_format=layout)
        mask = torch.ones((images, side, side), dtype=torch.long)
        if kind == "training step":
            return _their_step(torch, load(True).train(), values, mask)
        model = load(False).eval()

        @torch.inference_mode()
        def detect(values, mask):
            found = model(values.contiguous(memory_format=layout), mask)
            return found.logits.numpy(), found.pred_boxes.numpy()

        if kind == "file":
            return _file_to_boxes(folder, side, detect)
        return lambda: detect(values, mask)

    return prepare


def _torch_peak(torch, layout):
    matrix = torch.randn(MATRIX, MATRIX)

    def convolution(side, channels):
        values = torch.randn(1, channels, side, side).to(memory_format=layout)
        layer = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        layer = layer.to(memory_format=layout)
        return torch.inference_mode()(lambda: layer(values)[0, 0, 0, 0].item())

    works = [convolution(*sizes) for sizes in CONVOLUTIONS]
    return lambda: peak(lambda: (matrix @ matrix)[0, 0].item(), works)


def _their_step(torch, model, values, mask):
    boxes, labels = make_targets(len(values))
    targets = [
        {"class_labels": torch.tensor(row).long(), "boxes": torch.tensor(box)}
        for row, box in zip(labels, boxes, strict=True)
    ]
    learns = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learns, 1e-4, weight_decay=1e-4)

    def step():
        optimizer.zero_grad()
        loss = model(values, mask, labels=targets).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learns, 0.1)
        optimizer.step()
        return loss.item()

    return step


def torch_channels_last(folder: Path, threads: int):
    return torch(folder, threads, channels_last=True)


BUILD = {
    "ours": ours,
    "onnxruntime": onnxruntime,
    "torch": torch,
    "torch channels-last": torch_channels_last,
}


# Taking turns


def work(folder: Path, name: str, threads: int) -> None:
    """What a worker runs: what to do with which case."""
    import numpy as np

    prepare = BUILD[name](folder, threads)
    runs: dict = {}
    calls: dict = {}

    def answer(what, *case):
        if what == "prepare":
            runs[case] = prepare(*case)
            found = runs[case]()
            if case[0] == "tensors":
                np.savez(folder / f"{name}.npz", *found)
            calls[case] = min(max(round(SECONDS / timed(runs[case])), 1), 20)
        elif what == "peak":
            return runs[case]()
        elif what == "run":
            return statistics.median(timed(runs[case]) for _ in range(calls[case]))
        else:
            runs.pop(case)

    answer_all(answer)


def check(folder: Path, case) -> None:
    """Refuses to compare detectors that do not find the same."""
    import numpy as np

    found = {name: [*np.load(folder / f"{name}.npz").values()] for name in CONTESTANTS}
    for name, arrays in found.items():
        pairs = zip(arrays, found["ours"], strict=True)
        difference = max(float(np.abs(one - other).max()) for one, other in pairs)
        print(f"{case}: {name} differs by {difference:.1e}", file=sys.stderr)
        if difference > TOLERANCE:
            raise RuntimeError(f"{name} is off by {difference:.1e} from ours.")


def measure(folder, names, cases, options) -> tuple[list[dict], float]:
    """Seconds of every contestant in every round, for each case; and the peak."""
    workers = {
        name: Worker(
            sys.executable if name == "ours" else options.peer_python,
            __file__,
            name,
            options.threads,
            ["--folder", str(folder)],
        )
        for name in names
    }
    peaks, rows, none = [], [], ("peak", 0, 0)
    rated = [worker for name, worker in workers.items() if name != "onnxruntime"]
    for worker in rated:
        worker.ask("prepare", *none)
    for case in cases:
        for worker in workers.values():
            worker.ask("prepare", *case)
        if case[0] == "tensors":
            check(folder, case)
        seconds = {name: [] for name in names}
        for _ in range(options.rounds):
            for name, (taken,) in seconds_of(workers, 1, "run", *case).items():
                seconds[name].append(taken)
            peaks += [worker.ask("peak", *none) for worker in rated]
        for worker in workers.values():
            worker.ask("forget", *case)
        rows.append({"case": case, "seconds": seconds})
        print(case, seconds, file=sys.stderr)
    for worker in workers.values():
        worker.stop()
    return rows, max(peaks)


def report(rows: list[dict], best: float, operations: dict, threads: int) -> str:
    """The table in Markdown."""
    heads = ["work", "ours, s", "share of the peak"]
    heads += [f"{name} / ours" for name in CONTESTANTS[1:]]
    lines = [
        f"Threads: {threads}; the peak is {best / 1e9:.0f} GFLOP/s.",
        "",
        f"| {' | '.join(heads)} |",
        "|---" * len(heads) + "|",
    ]
    for row in rows:
        kind, images, side = row["case"]
        own = row["seconds"]["ours"]
        seconds = statistics.median(own)
        cells = [f"{kind}, {images}×{side}×{side}", f"{seconds:.3g}", ""]
        if kind != "training step":
            count = operations[f"{images} {side}"]
            cells[-1] = f"{count / seconds / best:.0%}, {count / 1e9:.1f} GFLOP"
        for name in CONTESTANTS[1:]:
            theirs = row["seconds"].get(name)
            cells.append(spread(ratios(theirs, own)) if theirs else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", type=Path, help="DETR in the hub's layout")
    parser.add_argument("--peer-python", help="has torch, transformers, onnxruntime")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=9, help="2 at least")
    parser.add_argument("--image-size", type=int, help="of all images, in pixels")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    cases, training = CASES, TRAINING
    if options.image_size:
        cases = [(kind, images, options.image_size) for kind, images, _ in CASES]
        training = (*TRAINING[:2], options.image_size)
    if options.worker == "export ours":
        return export_ours(options.folder, cases)
    if options.worker == "export peers":
        return export_peers(options.folder, cases)
    if options.worker:
        return work(options.folder, options.worker, options.threads)
    if not options.peer_python or options.rounds < 2:
        parser.error("--peer-python is needed, and 2 rounds at least")
    with tempfile.TemporaryDirectory() as scratch:
        table = compare(Path(scratch), cases, training, options)
    print(table)
    if options.out:
        options.out.write_text(table + "\n", encoding="utf-8")


def compare(folder: Path, cases, training, options) -> str:
    if options.checkpoint:
        (folder / "checkpoint").write_text(str(options.checkpoint.resolve()))
    sides = [side for kind, _, side in cases if kind == "file"]
    write_picture(folder / "picture.jpg", sides[0] * 5 // 4)
    more = ["--folder", str(folder)]
    if options.image_size:
        more += ["--image-size", str(options.image_size)]
    for name, python in (("peers", options.peer_python), ("ours", sys.executable)):
        subprocess.run(
            [python, __file__, "--worker", f"export {name}", *more],
            env=os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1"},
            stdout=sys.stderr,
            check=True,
        )
    rows, best = measure(folder, CONTESTANTS, cases, options)
    steps, other = measure(folder, TRAINERS, [training], options)
    operations = json.loads((folder / "operations.json").read_text())
    return report(rows + steps, max(best, other), operations, options.threads)


if __name__ == "__main__":
    main()
