"""The dashboard: web pages that show what a study has found. A page writes to a study only when a person sends a form.

`serve.serve` runs the server, `app.create_app` makes the application, `handlers` answer requests. `studies` read the
storage, `pages` compute the values of each page, `templates` and `html` turn the values into pages. Needs the extra
`dashboard`.
"""
