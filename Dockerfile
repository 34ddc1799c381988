# syntax=docker/dockerfile:1
#
# Three stages to run, of one source:
#
#   docker build --target api -t kerb-api .          the API alone, without TensorFlow
#   docker build --target worker -t kerb-worker .    a worker alone
#   docker build -t kerb .                           both: `kerb serve` and its workers
#
#   docker run --rm -v kerb:/data kerb kerb keys create NAME    a key, without which it listens to nobody
#   docker run -p 8000:8000 -v kerb:/data kerb
#
# API and worker in containers of their own share the volume (artifacts) and, by KERB_DATABASE_URL,
# a database.

FROM python:3.13-slim AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    KERB_DATA_DIR=/data \
    KERB_HOST=0.0.0.0 \
    KERB_PORT=8000
RUN useradd --system --uid 10001 --home-dir /srv/kerb --no-create-home kerb \
    && install --directory --owner kerb --group kerb /data
WORKDIR /srv/kerb
VOLUME /data
STOPSIGNAL SIGTERM

# The requirements change less often than the code, so they are layers of their own.
FROM base AS api-requirements
COPY requirements/api.txt requirements/
RUN pip install -r requirements/api.txt

FROM api-requirements AS worker-requirements
COPY requirements/worker.txt requirements/
RUN pip install -r requirements/worker.txt

FROM api-requirements AS api
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY migrations migrations
RUN pip install --no-deps --no-build-isolation --editable .
USER kerb
ENV KERB_WORKERS=0
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["python", "-c", \
    "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['KERB_PORT'] + '/healthz', timeout=2)"]
CMD ["kerb", "serve"]

FROM worker-requirements AS worker
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY migrations migrations
# The demo's documents: docker run --rm kerb kerb demo
COPY examples examples
RUN pip install --no-deps --no-build-isolation --editable .
USER kerb
CMD ["kerb", "worker"]

FROM worker AS both
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["python", "-c", \
    "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['KERB_PORT'] + '/healthz', timeout=2)"]
CMD ["kerb", "serve"]
