# Build stage, with every dependency and the compiler.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.mjs scripts/client.mjs scripts/freshness.mjs scripts/
COPY packages/client packages/client
COPY pages pages
COPY src src
COPY plugins plugins
COPY routes routes
RUN npm run build

# Production stage, with the files that the server needs at run time.
FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev && npm cache clean --force
COPY --from=build /app/dist dist
COPY pages pages
# Folder for a volume: with DATA_DIR=/data the rooms outlive the container.
RUN mkdir -m 0700 /data && chown node:node /data
USER node
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.PORT || 8080) + '/health').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# No npm in between: the process itself must get SIGTERM.
CMD ["node", "dist/src/server.js"]
