"""What the commands show of images: boxes, and where a detector looked."""

from pathlib import Path

import typer

from zoo.cli.console import err


def points_of(points: list[str] | None) -> list[tuple[float, float]]:
    """Reads --point x,y."""
    found = []
    for point in points or []:
        try:
            x, y = (float(side) for side in point.split(","))
        except ValueError:
            raise typer.BadParameter(
                f"--point takes x,y in pixels, such as 120,80. Received: {point}."
            ) from None
        found.append((x, y))
    return found


def show_image(source: str, image: str, path, looks: bool, points, options, load):
    """Draws what was found in an image, or where the model looked.

    Args:
        source: a preset, or an export.
        image: an image file.
        path: the picture's file.
        looks: draw where each object's query looked.
        points: places whose self-attention is drawn.
        options: of the prediction.
        load: loads a preset; `None` asks an export.
    """
    from zoo.plots import check_path

    if path is None:
        raise typer.BadParameter("A picture is drawn to a file: --out.")
    check_path(path)
    if not Path(image).is_file():
        raise FileNotFoundError(f"No such image: {image}.")
    if load is None:
        found = exported_attention(source, image)
    else:
        found = load(source).attention(image, **options)
    if looks or points:
        found.plot(path, points)
    else:
        found.draw(path)
    err.print(f"Drawn: {path}")


def exported_attention(folder, image):
    """What an exported detector found in an image, and where it looked."""
    from zoo.answers import DetectionAttention
    from zoo.export.check_export import run_export

    file = Path(image).read_bytes()
    request = {"with_attention": {"image_bytes": [as_base64(file)]}}
    answer = run_export(folder, request)["with_attention"]
    row = {name: values[0] for name, values in answer.items()}
    return DetectionAttention.of(row, file, str(image))


def images_input(images: list[Path]) -> dict[str, list[dict]]:
    """The input of a signature that reads image files.

    Raises:
        FileNotFoundError: one is not there.
    """
    if missing := [str(image) for image in images if not image.is_file()]:
        raise FileNotFoundError(f"No such image: {', '.join(missing)}.")
    return {"image_bytes": [as_base64(image.read_bytes()) for image in images]}


def as_base64(file: bytes) -> dict:
    """A file's bytes as JSON has them."""
    import base64

    return {"b64": base64.b64encode(file).decode()}


def lines_of(found) -> list[str]:
    """Objects of an image, a line each."""
    lines = [
        f"{row['label']} {row['score']:.3f}  "
        + " ".join(f"{side:.1f}" for side in row["box"])
        for row in found.plain
    ]
    return lines or ["nothing found"]
