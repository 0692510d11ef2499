# Data Tracker with all it runs on: `docker build -t data-tracker .`
FROM python:3.11.14-slim-trixie

ENV HOST=0.0.0.0 PORT=8888
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

RUN useradd --create-home --uid 10001 tracker
WORKDIR /app

# Packages change less often than the program: their layer is kept.
COPY requirements.txt requirements-uv.txt ./
RUN pip install --no-deps --require-hashes --requirement requirements-uv.txt \
  && uv pip sync --system --require-hashes --no-cache --compile-bytecode requirements.txt \
  && pip uninstall --yes uv

COPY . .
# Compiled here, for a container that may not write.
RUN python -m compileall -q . && mkdir data && chown tracker:tracker data

USER tracker
VOLUME /app/data
EXPOSE 8888
# Past any proxy: HTTP_PROXY is for what the program asks of others.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
CMD ["gunicorn", "app:server"]
