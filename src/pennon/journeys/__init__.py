"""Journeys: one user action followed through every service, as OpenTelemetry's spans tell of it.

An app of its own: it takes spans over OTLP/HTTP from any SDK, keeps a bounded number of traces in memory, serves a page
and a JSON API over them, and passes the page's flips and kills on to the control plane, whose token never leaves it.
What a flag answers, and what a header may hold, it does not know: it shows what the spans say. Nothing is kept on disk.
"""

from pennon.journeys.app import App, create_app
from pennon.journeys.control import ControlPlane
from pennon.journeys.memory import Memory
from pennon.journeys.serving import serve

__all__ = ["App", "ControlPlane", "Memory", "create_app", "serve"]
