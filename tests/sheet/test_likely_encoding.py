"""Which encoding a sheet most likely has: right or none, for a wrong one sends garbled names."""

import pytest

from batchconnect.sheet.likely_encoding import advice, likely_encodings, looks_written

NAMES = {
    "cp1252": [
        "Süd GmbH",
        "Hélène Côté",
        "Müller \u2013 Köln",
        "Año Nuevo",
        "São Paulo",
        "ÜBERSEE",
    ],
    "mac_roman": ["Süd Käse Öl", "Hélène Côté", "São Paulo", "Müller"],
    "cp850": ["Süd Käse", "Hélène", "Müller Köln"],
    "cp1250": ["Škoda Plzeň", "Łódź Żabka", "Kučera", "Győr"],
    "cp1254": ["İstanbul Şişli", "Güneş Ağaç"],
    "cp1251": ["Москва Телеком", "Телеком Юг"],
    "cp1253": ["Αθήνα Τηλε"],
    "cp932": ["顧客", "東京電力", "株式会社アクメ", "ABC商事株式会社", "テスト"],
    "euc_jp": ["株式会社アクメ"],
    "gbk": ["北京科技有限公司", "上海分公司", "中国移动"],
    "big5": ["台灣電力公司", "香港"],
    "cp949": ["삼성전자", "서울지사"],
}
CASES = [(encoding, name) for encoding, names in NAMES.items() for name in names]


def raw_of(name: str, encoding: str) -> bytes:
    return f"name,endpoint\r\n{name},https://a\r\n".encode(encoding)


@pytest.mark.parametrize(("encoding", "name"), CASES)
def test_the_right_encoding_is_among_those_that_are_named(encoding: str, name: str) -> None:
    """What is named first for the same letters will do: `Süd` is the same in two of them."""
    raw = raw_of(name, encoding)

    assert name in "".join(raw.decode(found) for found, _ in likely_encodings(raw))


@pytest.mark.parametrize(
    ("encoding", "name"), [("cp932", "顧客"), ("gbk", "北京科技有限公司"), ("cp1252", "Süd GmbH")]
)
def test_where_one_is_plausible_it_alone_is_named(encoding: str, name: str) -> None:
    """Never `cp850` for Shift-JIS: it decodes all there is, and garbles it."""
    assert [encoding] == [found for found, _ in likely_encodings(raw_of(name, encoding))]


def test_where_several_are_plausible_each_is_named_with_its_region() -> None:
    """Who has the sheet knows where it is from."""
    told = advice(raw_of("Kučera", "cp1250"))

    assert "`--encoding cp1252` (western Europe), `--encoding cp1250` (central Europe)" in told


def test_where_none_is_plausible_none_is_named() -> None:
    """A guess would send garbled names."""
    assert "--encoding NAME" in advice(b"name\n\x81\x8d\x8f\x90\n")


def test_a_character_that_is_cut_off_at_the_end_is_no_fault_of_the_encoding() -> None:
    """The sample ends somewhere."""
    assert likely_encodings("東京電力".encode("cp932")[:-1]) == [("cp932", "Japan, Shift-JIS")]


@pytest.mark.parametrize("name", [name for _, name in CASES])
def test_a_name_looks_written_and_its_garbled_twin_does_not(name: str) -> None:
    """`Kuèera` may be one; signs and capitals inside words are none."""
    assert looks_written(name)
    assert not looks_written("SÃ¼d îÜïq K├Âln")
