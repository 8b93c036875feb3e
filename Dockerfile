# One stage per service; `docker build .` makes the last one, the predictor.
#
# --build-arg LOCK=cluster.lock adds what more than one machine needs: PostgreSQL, object storage
# and Ray for the trainer, object storage for the predictor.
ARG LOCK=requirements.lock
# --build-arg PYTHON_IMAGE=python:3.11-slim@sha256:… pins the image below both services, as releases do.
ARG PYTHON_IMAGE=python:3.11-slim

FROM debian:bookworm-slim AS gateway
RUN apt-get update \
 && apt-get install -y --no-install-recommends nginx \
 && rm -rf /var/lib/apt/lists/*
COPY gateway/*.conf /etc/nginx/
USER 10001:10001
STOPSIGNAL SIGQUIT
EXPOSE 8000 8001 8080
HEALTHCHECK --interval=5s --timeout=10s --start-period=60s \
  CMD ["bash", "-c", ": </dev/tcp/127.0.0.1/8000 && : </dev/tcp/127.0.0.1/8080"]
CMD ["nginx", "-e", "stderr"]


# These folders belong to the services' user, and so do volumes first mounted there.
FROM $PYTHON_IMAGE AS python
WORKDIR /app
RUN install -d -o 10001 -g 10001 /models /state /images /keys
ENV READSMITH_STORE=/models READSMITH_STORE_CACHE=/tmp/store-cache READSMITH_KEYS=/keys/keys.json


FROM python AS trainer
ARG LOCK
COPY trainer/$LOCK .
RUN pip install --no-cache-dir --require-hashes -r $LOCK
COPY shared shared
COPY trainer trainer
COPY predictor predictor
COPY readsmith readsmith
ENV READSMITH_STATE=/state READSMITH_TRAINER_HOST=0.0.0.0
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=10s --start-period=60s \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz')"]
CMD ["python", "-m", "trainer"]


FROM python AS predictor
ARG LOCK
COPY predictor/$LOCK .
RUN pip install --no-cache-dir --require-hashes -r $LOCK
COPY shared shared
COPY predictor predictor
# A container's ports are closed until -p opens them: who may ask is chosen there, or by keys.
ENV READSMITH_PREDICTOR_HOST=0.0.0.0 READSMITH_ALLOW_ANONYMOUS=1
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=10s --start-period=60s \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/healthz')"]
CMD ["python", "-m", "predictor"]
