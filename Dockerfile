# syntax=docker/dockerfile:1
# The one image of Nuptse: Debian's HAProxy and its libraries, Node, one bundle. No shell, no package manager, no root.
# `npm run image` makes the same without Docker (hack/image/contents.ts); a test holds the two together.

FROM node:24.21.0-trixie-slim AS bundle
WORKDIR /source
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY hack hack
COPY src src
RUN node hack/bundle.ts /bundle image && mv node_modules/node-linux-*/bin/node /bundle/node

FROM debian:trixie-slim AS system
COPY hack/image/packages.txt hack/image/system.sh /image/
RUN apt-get update && sh /image/system.sh /system

FROM scratch AS cold
COPY --from=system /system /
COPY --from=bundle /bundle/node /usr/bin/node
COPY --from=bundle /bundle/nuptse.js /usr/lib/nuptse/nuptse.js
COPY --from=bundle /bundle/nuptse /usr/lib/nuptse/nuptse
COPY --from=bundle /bundle/nuptse-trace-worker.js /usr/lib/nuptse/nuptse-trace-worker.js
COPY package.json /usr/lib/nuptse/package.json

FROM cold AS warm
RUN --mount=type=bind,source=hack/image/warm-cache.mjs,target=/tmp/warm-cache.mjs \
  ["/usr/bin/node", "/tmp/warm-cache.mjs", "/usr/lib/nuptse/nuptse.js", "/var/cache/nuptse"]

FROM cold
COPY --from=warm /var/cache/nuptse /var/cache/nuptse
LABEL org.opencontainers.image.title="nuptse" \
  org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/usr/sbin:/usr/bin \
  NODE_COMPILE_CACHE=/var/cache/nuptse \
  NODE_COMPILE_CACHE_PORTABLE=1
WORKDIR /
USER 65532:65532
ENTRYPOINT ["/usr/bin/node", "--max-semi-space-size=16", "/usr/lib/nuptse/nuptse.js"]
