"""The dashboard: web pages that show what a study has found. They write only what a person asks for with a form.

Needs the extra `dashboard`; `app.create_app` makes the application, `serve.serve` runs it.
"""
