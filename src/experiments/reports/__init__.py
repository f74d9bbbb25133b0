"""Reports: tables, statistics and figures of finished runs as Markdown, HTML, CSV and JSON."""
