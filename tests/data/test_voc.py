import numpy as np
import pytest

from tests.data.pictures import save_picture, voc_xml
from zoo.data.labelled_images import check_labelled_images, read_labelled_images
from zoo.data.voc import parse_annotation

LAUGHS = (
    '<?xml version="1.0"{}?>'
    '<!DOCTYPE annotation [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    "<annotation><filename>&b;</filename></annotation>"
)


def save_voc(folder, annotations, size=(53, 41), flat=False):
    """Annotations by stem, as VOC's tree or beside their images; and the images."""
    for seed, (stem, xml) in enumerate(annotations.items()):
        image = folder / ("" if flat else "JPEGImages") / f"{stem}.jpg"
        save_picture(image, size, seed)
        file = folder / ("" if flat else "Annotations") / f"{stem}.xml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(xml, encoding="utf-8")
    return folder


def assert_boxes(found, wanted):
    np.testing.assert_array_equal(found, np.reshape(wanted, (-1, 4)))


def test_pixels_of_voc_count_from_one_and_the_last_belongs_to_the_box(tmp_path):
    xml = voc_xml([("dog", (1, 1, 53, 41)), ("a cat", (3, 5, 3, 7))])
    save_voc(tmp_path, {"b": xml, "a": voc_xml([])})
    data = read_labelled_images(tmp_path)
    again = read_labelled_images(tmp_path / "Annotations")
    assert_boxes(again.boxes[1], data.boxes[1])
    assert [image.name for image in data.images] == ["a.jpg", "b.jpg"]
    assert_boxes(data.boxes[0], [])
    assert_boxes(data.boxes[1], [(0, 0, 53, 41), (2, 4, 3, 7)])
    assert data.labels == ((), ("dog", "a cat"))
    assert data.categories == {"a cat": 1, "dog": 2}
    assert data.ids == (1, 2)
    assert data.origin == tmp_path.name


def test_pixels_that_count_from_zero_stay(tmp_path):
    save_voc(tmp_path, {"a": voc_xml([("x", (0, 3, 9, 8)), ("x", (2, 3, 9, 8))])})
    assert_boxes(read_labelled_images(tmp_path).boxes[0], [(0, 3, 9, 8), (2, 3, 9, 8)])


def test_labelimg_writes_beside_the_images(tmp_path):
    save_voc(tmp_path, {"my photo": voc_xml([("x", (2, 3, 9, 8))])}, flat=True)
    save_picture(tmp_path / "nobody looked.jpg")
    data = read_labelled_images(tmp_path)
    assert [image.name for image in data.images] == ["my photo.jpg"]
    assert_boxes(data.boxes[0], [(2, 3, 9, 8)])


def test_difficult_objects_are_kept_as_crowds_are(tmp_path):
    objects = [("x", (2, 3, 9, 8), True), ("x", (1, 1, 5, 5), False)]
    save_voc(tmp_path, {"a": voc_xml(objects)})
    assert read_labelled_images(tmp_path).crowds[0].tolist() == [True, False]


def test_parts_of_objects_are_no_objects(tmp_path):
    part = "<part><name>head</name><bndbox><xmin>4</xmin></bndbox></part>"
    xml = voc_xml([("x", (2, 3, 9, 8))]).replace("<bndbox>", part + "<bndbox>")
    save_voc(tmp_path, {"a": xml})
    data = read_labelled_images(tmp_path)
    assert data.labels == (("x",),)
    assert_boxes(data.boxes[0], [(1, 2, 9, 8)])


def test_a_list_of_imagesets_names_a_part(tmp_path):
    names = ("a", "b 1", "c 1", "d")
    save_voc(tmp_path, {name: voc_xml([("x", (1, 1, 5, 5))]) for name in names})
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    split = tmp_path / "ImageSets" / "Main" / "train.txt"
    # A number behind a name may be part of it.
    split.write_text("d -1\nb 1\n\nc 1  1\n")
    data = read_labelled_images(split)
    assert [image.name for image in data.images] == ["d.jpg", "b 1.jpg", "c 1.jpg"]
    assert data.origin == "train.txt"
    split.write_text("d\nnone\nb 1\n")
    with pytest.raises(ValueError, match=r"names 1 annotations that are not in .*: no"):
        read_labelled_images(split)
    split.write_text("\n")
    with pytest.raises(ValueError, match="and 0 that are"):
        read_labelled_images(split)


def test_images_may_lie_elsewhere(tmp_path):
    save_voc(tmp_path / "a", {"x": voc_xml([("x", (2, 3, 9, 8))])})
    (tmp_path / "a" / "JPEGImages").rename(tmp_path / "photos")
    report = check_labelled_images(tmp_path / "a")
    assert list(report.problems) == ["images whose file is missing"]
    data = read_labelled_images(tmp_path / "a", tmp_path / "photos")
    assert data.images == (tmp_path / "photos" / "x.jpg",)
    assert_boxes(data.boxes[0], [(1, 2, 9, 8)])


def test_labelimg_may_have_been_given_another_folder_than_that_of_the_images(tmp_path):
    save_voc(tmp_path / "a", {"x": voc_xml([("x", (2, 3, 9, 8))])}, flat=True)
    save_picture(tmp_path / "photos" / "x.png")
    data = read_labelled_images(tmp_path / "a", tmp_path / "photos")
    assert data.images == (tmp_path / "photos" / "x.png",)
    assert_boxes(data.boxes[0], [(2, 3, 9, 8)])


@pytest.mark.parametrize(
    "filename, found",
    [("c.png", "c.png"), ("old.jpg", "c.jpg"), (r"C:\photos\c.png", "c.png")],
)
def test_an_image_is_found_by_the_name_of_its_annotation(tmp_path, filename, found):
    save_voc(tmp_path, {"c": voc_xml([], filename)})
    for name in ("c.png", "old.jpg"):
        save_picture(tmp_path / "JPEGImages" / name)
    assert read_labelled_images(tmp_path).images[0].name == found


def test_an_image_of_another_name_is_found_by_the_file_name(tmp_path):
    save_voc(tmp_path, {"c": voc_xml([], "old.jpg")})
    images = tmp_path / "JPEGImages"
    (images / "c.jpg").rename(images / "old.jpg")
    assert read_labelled_images(tmp_path).images[0].name == "old.jpg"


def test_a_size_of_zero_is_none(tmp_path):
    save_voc(tmp_path, {"a": voc_xml([("x", (1, 1, 5, 5))], size=(0, 0))})
    assert read_labelled_images(tmp_path).sizes == ((53, 41),)


@pytest.mark.parametrize("corner", ["", "left", "nan"])
def test_a_corner_that_is_no_number_is_reported(tmp_path, corner):
    save_voc(tmp_path, {"a": voc_xml([("x", (corner, 1, 5, 5))])})
    with pytest.raises(ValueError, match=r"four finite numbers: 1 \[a\.jpg\]"):
        read_labelled_images(tmp_path)


def test_an_object_without_a_name_is_reported(tmp_path):
    save_voc(tmp_path, {"a": voc_xml([(" ", (1, 1, 5, 5))])})
    with pytest.raises(ValueError, match=r"not listed: 1; .* \[a\.jpg\]"):
        read_labelled_images(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused_in_every_encoding(encoding):
    declared = ' encoding="utf-16"' if encoding == "utf-16" else ""
    with pytest.raises(ValueError, match="declares a DOCTYPE"):
        parse_annotation(LAUGHS.format(declared).encode(encoding))


def test_external_entities_are_refused(tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    xml = (
        f'<!DOCTYPE annotation [<!ENTITY a SYSTEM "file://{tmp_path}/secret.txt">]>'
        "<annotation><filename>&a;</filename></annotation>"
    )
    save_voc(tmp_path, {"a": xml, "b": voc_xml([])})
    with pytest.raises(ValueError, match=r"1 of 2 XML files.*a\.xml \(it declares a D"):
        read_labelled_images(tmp_path)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", r"no XML: no element found"),
        ("<annotation>", r"no XML: no element found"),
        ("<annotation>&a;</annotation>", "no XML: undefined entity"),
        ('<?xml version="1.0" encoding="no-such"?><annotation/>', "no XML: "),
        ("<svg/>", "its root is <svg> instead of <annotation>"),
    ],
)
def test_files_that_are_no_annotations_are_refused_by_name(tmp_path, text, message):
    save_voc(tmp_path, {"a": text, "b": voc_xml([])})
    with pytest.raises(ValueError, match=rf"1 of 2 XML files .*: a\.xml \({message}"):
        read_labelled_images(tmp_path)


def test_an_empty_tree_is_refused(tmp_path):
    (tmp_path / "Annotations").mkdir()
    with pytest.raises(ValueError, match="no XML file"):
        read_labelled_images(tmp_path)


def test_images_may_lie_among_the_annotations(tmp_path):
    save_voc(tmp_path, {"x": voc_xml([("x", (2, 3, 9, 8))])})
    (tmp_path / "JPEGImages" / "x.jpg").rename(tmp_path / "Annotations" / "x.jpg")
    (tmp_path / "JPEGImages").rmdir()
    for path in (tmp_path, tmp_path / "Annotations"):
        assert_boxes(read_labelled_images(path).boxes[0], [(2, 3, 9, 8)])
