"""The control plane as an app: authoring API, kill lane, streams for SDKs, exposure intake, health and metrics.

`create_app` puts the routes over a store, `serve` runs them as a process. What an edit means lives in `control`, where
it is kept in `store`; hub, problem responses and bounds, which other apps share, in `web`.
"""

from pennon.server.app import App, create_app
from pennon.server.serving import serve

__all__ = ["App", "create_app", "serve"]
