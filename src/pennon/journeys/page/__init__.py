"""The page of the journeys app: one HTML document, one style sheet, ES modules; read from the package as they are.

Nothing is built, nothing inline, nothing from elsewhere, so that `default-src 'self'` is all the page needs. What the
page shows comes from the app's JSON API and its events; which routes serve the files is the app's business.
"""

from pennon.journeys.page.files import index_html, static_file

__all__ = ["index_html", "static_file"]
