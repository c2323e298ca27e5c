"""The run as a workbook: `results.xlsx`, and what is returned to the one who filled the sheet in."""
