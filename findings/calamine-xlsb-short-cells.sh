#!/bin/sh
# python-calamine 0.9.1 reads of an XLSB workbook that SheetJS wrote the first cell of each row, and no other.
#
# SheetJS (npm's xlsx 0.18.5) writes a cell that follows its neighbour as a short record, which leaves the column out:
# it is the next one. calamine knows the records of full length alone, passes over the rest, and raises nothing: a
# table of three columns is one of one column. The same cells written as XLSX by the same program are read whole.
# pyxlsb 1.0.10 counts the cells of the XLSB, and finds all of them empty. A loader that trusts either takes the sheet
# for one whose columns are missing.
#
# Seen: XLSX [['name', 'database', 'org'], ['Client 1', 'telemetry', 'acme']]; XLSB [['name'], ['Client 1']] by
# calamine, [[None, None, None], [None, None, None]] by pyxlsb.
# Needs node and npm beside python3. Exit code 0 while that is so; 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check python-calamine==0.9.1 pyxlsb==1.0.10
npm install --silent --no-audit --no-fund --prefix "$folder" xlsx@0.18.5
cat > "$folder/write.js" <<'JAVASCRIPT'
const XLSX = require("xlsx");
const book = XLSX.utils.book_new();
const rows = [["name", "database", "org"], ["Client 1", "telemetry", "acme"]];
XLSX.utils.book_append_sheet(book, XLSX.utils.aoa_to_sheet(rows), "S");
for (const kind of ["xlsx", "xlsb"]) XLSX.writeFile(book, `${__dirname}/rows.${kind}`, { bookType: kind });
JAVASCRIPT
node "$folder/write.js"
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import pyxlsb
import python_calamine

folder = sys.argv[1]
read = {
    kind: python_calamine.load_workbook(f"{folder}/rows.{kind}").get_sheet_by_index(0).to_python()
    for kind in ("xlsx", "xlsb")
}
with pyxlsb.open_workbook(f"{folder}/rows.xlsb") as book, book.get_sheet(1) as sheet:
    by_pyxlsb = [[cell.v for cell in row] for row in sheet.rows()]
print("calamine, XLSX:", read["xlsx"])
print("calamine, XLSB:", read["xlsb"])
print("pyxlsb,   XLSB:", by_pyxlsb)
whole = [["name", "database", "org"], ["Client 1", "telemetry", "acme"]]
assert read["xlsx"] == whole, "the XLSX is read otherwise now"
assert read["xlsb"] == [["name"], ["Client 1"]], "the XLSB is read otherwise now"
assert by_pyxlsb == [[None] * 3] * 2, "pyxlsb has changed"
PYTHON
