#!/bin/sh
# python-calamine 0.9.1 refuses an ODS document whose XML is indented, as SheetJS writes it.
#
# White space between a row and its cells means nothing in OpenDocument: only paragraphs hold text.
# calamine expects a cell directly behind a row and takes the line feed before it for a fault of the file. The same
# rows written as XLSX by the same program (npm's xlsx 0.18.5) are read, and odfpy 1.4.1 reads the document.
#
# Seen: CalamineError, which names the white space that it found where it expected 'table-cell'.
# Needs node and npm beside python3. Exit code 0 while that is so; 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check odfpy==1.4.1 python-calamine==0.9.1
npm install --silent --no-audit --no-fund --prefix "$folder" xlsx@0.18.5
cat > "$folder/write.js" <<'JAVASCRIPT'
const XLSX = require("xlsx");
const book = XLSX.utils.book_new();
XLSX.utils.book_append_sheet(book, XLSX.utils.aoa_to_sheet([["name", "org"], ["Client 1", "acme"]]), "S");
for (const kind of ["xlsx", "ods"]) XLSX.writeFile(book, `${__dirname}/rows.${kind}`, { bookType: kind });
JAVASCRIPT
node "$folder/write.js"
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import python_calamine
from odf import teletype, text
from odf.opendocument import load

folder = sys.argv[1]
xlsx = python_calamine.load_workbook(f"{folder}/rows.xlsx").get_sheet_by_index(0).to_python()
by_odfpy = [teletype.extractText(found) for found in load(f"{folder}/rows.ods").getElementsByType(text.P)]
try:
    ods = python_calamine.load_workbook(f"{folder}/rows.ods").get_sheet_by_index(0).to_python()
except python_calamine.CalamineError as error:
    ods = error
print("calamine, XLSX:", xlsx)
print("odfpy,    ODS: ", by_odfpy)
print("calamine, ODS: ", ods)
assert xlsx == [["name", "org"], ["Client 1", "acme"]], "the XLSX is read otherwise now"
assert by_odfpy == ["name", "org", "Client 1", "acme"], "odfpy has changed"
assert isinstance(ods, python_calamine.CalamineError) and "table-cell" in str(ods), "calamine has changed"
PYTHON
