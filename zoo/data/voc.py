"""Boxes in the XML format of Pascal VOC, as LabelImg writes it too.

http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/index.html.
"""

import re
from pathlib import Path, PureWindowsPath
from xml.etree import ElementTree

from zoo.data.raw_annotations import RawAnnotations

_ANNOTATIONS, _IMAGES = "Annotations", "JPEGImages"
_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_PRESENCE = re.compile(r"\s+(-1|0|1)$")
_MOST_FILES = 10


def is_voc(path: Path) -> bool:
    """Whether a path is a folder of annotations, or a list of some of them."""
    if path.is_dir():
        return (path / _ANNOTATIONS).is_dir() or any(path.glob("*.xml"))
    folder = path.parent.parent.parent / _ANNOTATIONS
    return path.suffix == ".txt" and folder.is_dir()


def read_voc(path, images=None) -> RawAnnotations:
    """Reads annotations of Pascal VOC.

    In the folder `Annotations`, pixels count from 1 and the last one belongs to a box:
    x_min and y_min become one less, unless one of them is 0 already. Beside images, as
    LabelImg writes them, corners stay as they are. Objects marked "difficult" are kept
    as crowds are: nothing is learnt from them, and finding them is not wrong.

    Args:
        path: a folder with the folders `Annotations` and `JPEGImages`; a list of some
            of them, such as `VOC/ImageSets/Main/train.txt`; or a folder of XML files
            beside their images.
        images: folder of the images, if another.

    Raises:
        ValueError: a file that is no annotation.
    """
    path = Path(path)
    files = _listed_files(path) if path.is_file() else _files(path)
    folder = _image_folder(files[0].parent, images)
    by_stem = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in _SUFFIXES:
            by_stem.setdefault(file.stem, file)
    listed, objects, found = [], [], []
    for number, (file, root) in enumerate(_parse_all(files, path), 1):
        name = PureWindowsPath(root.findtext("filename") or file.stem).name
        image = _find_image(folder, file.stem, name, by_stem)
        listed.append({"id": number, "file_name": image.name if image else name})
        listed[-1] |= _size(root)
        found.append(image)
        objects += [_object(each, number) for each in root.findall("object")]
    if files[0].parent not in (path, folder) or _is_devkit(files[0].parent):
        _count_from_zero(objects)
    names = sorted({each["category_id"] for each in objects} - {None})
    categories = [{"id": name, "name": name} for name in names]
    return RawAnnotations(path.name, listed, objects, categories, found)


def parse_annotation(content: bytes) -> ElementTree.Element:
    """The root of an annotation in XML.

    Raises:
        ValueError: no XML, another kind of it, or one that declares a document type.
    """
    parser = ElementTree.XMLParser(target=_WithoutDoctype())
    try:
        root = ElementTree.fromstring(content, parser)
    except (ElementTree.ParseError, LookupError) as error:
        raise ValueError(f"no XML: {error}") from error
    if root.tag != "annotation":
        raise ValueError(f"its root is <{root.tag}> instead of <annotation>")
    return root


class _WithoutDoctype(ElementTree.TreeBuilder):
    """Refuses what entities are declared in: they may grow without end."""

    def doctype(self, name, public, system):
        raise ValueError("it declares a DOCTYPE, which no annotation needs")


def _files(path: Path) -> list[Path]:
    inner = path / _ANNOTATIONS
    files = sorted((inner if inner.is_dir() else path).glob("*.xml"))
    if not files:
        raise ValueError(f"{inner} has no XML file, and so no annotation.")
    return files


def _listed_files(path: Path) -> list[Path]:
    """The annotations that a list of `ImageSets` names, one a line."""
    folder = path.parent.parent.parent / _ANNOTATIONS
    files, missing = [], []
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        # Lists of one class say behind each name whether it is there.
        for stem in dict.fromkeys([line.strip(), _PRESENCE.sub("", line.strip())]):
            if stem and (file := folder / f"{stem}.xml").is_file():
                files.append(file)
                break
        else:
            missing += [line.strip()] if line.strip() else []
    if missing or not files:
        raise ValueError(
            f"{path} names {len(missing)} annotations that are not in {folder}"
            f"{': ' if missing else ''}{_listed(missing)}, and {len(files)} that are."
        )
    return files


def _image_folder(annotations: Path, images) -> Path:
    if images is not None:
        return Path(images)
    return annotations.parent / _IMAGES if _is_devkit(annotations) else annotations


def _is_devkit(annotations: Path) -> bool:
    """Whether images lie beside the folder, as Pascal VOC has them."""
    beside = annotations.resolve().parent / _IMAGES
    return annotations.resolve().name == _ANNOTATIONS and beside.is_dir()


def _parse_all(files, path) -> list[tuple[Path, ElementTree.Element]]:
    parsed, broken = [], []
    for file in files:
        try:
            parsed.append((file, parse_annotation(file.read_bytes())))
        except ValueError as error:
            broken.append(f"{file.name} ({error})")
    if broken:
        raise ValueError(
            f"{path}: {len(broken)} of {len(files)} XML files are no annotations of "
            f"Pascal VOC: {_listed(broken)}."
        )
    return parsed


def _find_image(folder, stem, name, by_stem) -> Path | None:
    """The image of an annotation: of its name, for files are renamed together."""
    if Path(name).stem == stem and (folder / name).is_file():
        return folder / name
    if stem in by_stem:
        return by_stem[stem]
    return folder / name if (folder / name).is_file() else None


def _size(root) -> dict[str, float]:
    sides = {
        side: _number(root.findtext(f"size/{side}")) for side in ("width", "height")
    }
    return {side: value for side, value in sides.items() if value is not None}


def _object(element, image_id: int) -> dict:
    corners = [_number(element.findtext(f"bndbox/{corner}")) for corner in _CORNERS]
    return {
        "image_id": image_id,
        "category_id": (element.findtext("name") or "").strip() or None,
        "bbox": None if None in corners else _as_coco(*corners),
        "iscrowd": int(_number(element.findtext("difficult")) == 1),
    }


def _as_coco(x_min, y_min, x_max, y_max) -> list[float]:
    return [x_min, y_min, x_max - x_min, y_max - y_min]


def _count_from_zero(objects) -> None:
    boxes = [each["bbox"] for each in objects if each["bbox"]]
    if all(min(x, y) >= 1 for x, y, _, _ in boxes):
        for box in boxes:
            box[:] = [box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1]


def _number(text: str | None) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _listed(items: list[str]) -> str:
    more = f" and {len(items) - _MOST_FILES} more" if items[_MOST_FILES:] else ""
    return ", ".join(items[:_MOST_FILES]) + more
