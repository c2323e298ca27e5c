#!/bin/sh
# python-calamine 0.9.1 leaves tabs and line breaks out of the texts of an ODS sheet, so two words become one.
#
# OpenDocument keeps white space in elements (1.3, part 3, 6.1): text:s for spaces, text:tab for a tab, text:line-break
# for a break within a paragraph. calamine gives back the spaces and, for each further paragraph, a line feed; the other
# two it passes over without a word. odfpy 1.4.1 reads both from the same file. Cells that were pasted with a tab in
# them arrive as an identifier that nobody typed, and nothing shows that something was there.
#
# Seen, written / by odfpy / by calamine:
#   a, tab, b         'a\tb'   'ab'
#   a, line break, b  'a\nb'   'ab'
#   a, three spaces, b  'a   b'  'a   b'
# Exit code 0 while that is so; 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check odfpy==1.4.1 python-calamine==0.9.1
"$folder/venv/bin/python" - "$folder/white.ods" <<'PYTHON'
import sys

import python_calamine
from odf import table, teletype, text
from odf.opendocument import OpenDocumentSpreadsheet, load

path = sys.argv[1]
document = OpenDocumentSpreadsheet()
tab, row = table.Table(name="S"), table.TableRow()
for between in (text.Tab(), text.LineBreak(), text.S(c=3)):
    paragraph = text.P(text="a")
    paragraph.addElement(between)
    paragraph.addText("b")
    cell = table.TableCell(valuetype="string")
    cell.addElement(paragraph)
    row.addElement(cell)
tab.addElement(row)
document.spreadsheet.addElement(tab)
document.save(path)

by_odfpy = [teletype.extractText(found) for found in load(path).getElementsByType(text.P)]
by_calamine = python_calamine.load_workbook(path).get_sheet_by_index(0).to_python()[0]
print("odfpy 1.4.1   ", by_odfpy)
print("calamine 0.9.1", by_calamine)
assert by_odfpy == ["a\tb", "a\nb", "a   b"], "odfpy has changed"
assert by_calamine == ["ab", "ab", "a   b"], "calamine has changed"
PYTHON
