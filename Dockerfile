# syntax=docker/dockerfile:1
# atari-dqn in a container: for a CPU, or for CUDA by a build argument (torch brings its libraries, the host the driver).
#
#   docker build -t atari-dqn .
#   docker build -t atari-dqn:cuda --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128 .
#
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" atari-dqn train pong --preset quick
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" --gpus all atari-dqn:cuda train breakout --device cuda
#
# Runs lie in /work/runs. An image holds ale-py, too: NOTICE says what the GPL asks of whoever hands one on.
ARG PYTHON=3.12
FROM python:${PYTHON}-slim

# g++ compiles the optimizer (CPU) and the update (GPU) at a first start
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/atari-dqn
COPY constraints.txt ./
# torch for CUDA names the triton that it was built with
RUN sed -i '/^triton==/d' constraints.txt
# torch by itself: the one large layer, which a change of this package leaves as it is
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir --constraint constraints.txt --extra-index-url "${TORCH_INDEX}" torch
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY atari_dqn atari_dqn
RUN pip install --no-cache-dir --constraint constraints.txt '.[video,play]'

# any user may run it, also one that /etc/passwd does not know: torch's compiler asks for a name and writes below HOME
ENV HOME=/tmp USER=player PYTHONUNBUFFERED=1
WORKDIR /work
RUN chown 1000 /work
USER 1000
ENTRYPOINT ["atari-dqn"]
CMD ["--help"]
