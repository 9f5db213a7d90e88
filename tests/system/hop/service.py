"""A service of somebody else's: stock FastAPI, httpx and OpenTelemetry, nothing of pennon. PORT and NEXT say where."""

import importlib.util
import json
import os

import httpx
import uvicorn
from fastapi import FastAPI, Request, Response
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider

trace.set_tracer_provider(TracerProvider())
HTTPXClientInstrumentor().instrument()
app = FastAPI()
FastAPIInstrumentor.instrument_app(app)
client = httpx.AsyncClient(timeout=60)


@app.post("/")
async def forward(request: Request) -> Response:
    """Pass the body on; what travels in headers is OpenTelemetry's business."""
    headers = {"content-type": "application/json", "x-correlation-id": request.headers.get("x-correlation-id", "")}
    answer = await client.post(os.environ["NEXT"], content=await request.body(), headers=headers)
    return Response(answer.content, answer.status_code, media_type="application/json")


if __name__ == "__main__":
    is_there = importlib.util.find_spec("pennon") is not None
    print(json.dumps({"service": "hop", "ready": True, "has_pennon": is_there}), flush=True)
    uvicorn.run(app, port=int(os.environ["PORT"]), log_level="warning")
