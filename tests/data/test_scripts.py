import pytest

from zoo.data.scripts import count_scripts, dominant_script


@pytest.mark.parametrize(
    "text, script",
    [
        ("The cat sat, 37 times!", "Latin"),
        ("Ｆｕｌｌ ｗｉｄｔｈ", "Latin"),
        ("猫坐在桌子上。", "Han"),
        ("猫がテーブルの上に座った。", "Kana"),
        ("東京大学図書館へ行く", "Kana"),
        ("ﾃｰﾌﾞﾙ", "Kana"),
        ("고양이가 앉았다", "Hangul"),
        ("Кошка сидит", "Cyrillic"),
        ("Η γάτα κάθισε", "Greek"),
        ("جلست القطة", "Arabic"),
        ("बिल्ली बैठी", "Devanagari"),
        ("37 + 5 = 42 …", None),
        ("", None),
        ("abc 猫坐上", None),
    ],
)
def test_the_script_of_most_letters_is_found(text, script):
    assert dominant_script([text]) == script


def test_letters_are_counted_over_all_texts():
    assert count_scripts(["猫 cat", "a1!"]) == {"Han": 1, "Latin": 4}
