"""The proof report: report.json is the record of a run, index.html is made from report.json alone."""
