"""The dashboard: web pages that show what a study has found. They read its storage and write nothing.

Needs the extra `dashboard`; `app.create_app` makes the application, `serve.serve` runs it.
"""
