#!/bin/sh
# python-calamine 0.9.1 takes a byte order mark for one at the beginning of every text of an XLS workbook.
#
# In a cell U+FEFF is a letter like any other (zero width no-break space): [MS-XLS] stores texts as UTF-16LE
# and knows no mark in them. xlrd 2.0.2 gives back what xlwt 1.3.0 wrote. calamine decodes each text with a
# function that looks for a mark first (encoding_rs `decode`): U+FEFF is taken off without a word, so two cells
# that differ are read as one; and a text that begins with U+FFFE is read with its bytes swapped, as other
# letters. Whoever compares identifiers or sends keys that were read so has other ones than the file.
#
# Seen: ['\ufeffab', '\ufffeab', 'ab'] is read as ['ab', '愀戀', 'ab'].
# Exit code 0 while that is so; 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    xlwt==1.3.0 xlrd==2.0.2 python-calamine==0.9.1
"$folder/venv/bin/python" - "$folder/marks.xls" <<'PYTHON'
import sys

import python_calamine
import xlrd
import xlwt

path = sys.argv[1]
written = ["\ufeffab", "\ufffeab", "ab"]
book = xlwt.Workbook(encoding="utf-8")
tab = book.add_sheet("S")
for column, text in enumerate(written):
    tab.write(0, column, text)
book.save(path)

by_xlrd = xlrd.open_workbook(path).sheet_by_index(0).row_values(0)
by_calamine = python_calamine.load_workbook(path).get_sheet_by_index(0).to_python()[0]
print("written       ", ascii(written))
print("xlrd 2.0.2    ", ascii(by_xlrd))
print("calamine 0.9.1", ascii(by_calamine))
assert by_xlrd == written, "xlrd has changed"
assert by_calamine == ["ab", "\u6100\u6200", "ab"], "calamine has changed"
PYTHON
