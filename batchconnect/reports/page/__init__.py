"""The run as a page: `report.html`, its charts, and the templates beside them."""
