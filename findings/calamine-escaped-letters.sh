#!/bin/sh
# python-calamine 0.9.1 takes `_xHHHH_` in a text of XLSX for a letter up to U+00FF, and leaves it as it is beyond.
#
# A text of SpreadsheetML may name any UTF-16 unit so (ECMA-376 part 1, 22.9.2.19, ST_Xstring), and `_x005F_` stands for
# an underscore that begins no name. calamine makes `_x00E4_` an a with two dots and `_x20AC_` no euro sign, so of two
# cells that are written by one rule one is read by it and one is not. openpyxl 3.1.5 writes what it is given without
# the escape, and so reads back what it was given: who writes a text that happens to look like a name with it and reads
# it with calamine gets another text, and sees nothing of it with openpyxl. XlsxWriter 3.2.9 escapes such texts.
#
# Seen, given '_x0041_cme', '_x00E4_', '_x20AC_':
#   by openpyxl, read by openpyxl     as given
#   by openpyxl, read by calamine     'Acme', 'ä', '_x20AC_'
#   by XlsxWriter, read by calamine   as given
# Exit code 0 while that is so; 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    openpyxl==3.1.5 XlsxWriter==3.2.9 python-calamine==0.9.1
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import openpyxl
import python_calamine
import xlsxwriter

folder = sys.argv[1]
given = ["_x0041_cme", "_x00E4_", "_x20AC_"]
by_openpyxl, by_xlsxwriter = f"{folder}/openpyxl.xlsx", f"{folder}/xlsxwriter.xlsx"
book = openpyxl.Workbook()
book.active.append(given)
book.save(by_openpyxl)
with xlsxwriter.Workbook(by_xlsxwriter) as written:
    written.add_worksheet().write_row(0, 0, given)


def calamine(path):
    return python_calamine.load_workbook(path).get_sheet_by_index(0).to_python()[0]


back = [cell.value for cell in next(openpyxl.load_workbook(by_openpyxl).active.iter_rows())]
print("openpyxl, openpyxl:  ", back)
print("openpyxl, calamine:  ", calamine(by_openpyxl))
print("XlsxWriter, calamine:", calamine(by_xlsxwriter))
assert back == given, "openpyxl has changed"
assert calamine(by_openpyxl) == ["Acme", "\u00e4", "_x20AC_"], "calamine has changed"
assert calamine(by_xlsxwriter) == given, "XlsxWriter or calamine has changed"
PYTHON
