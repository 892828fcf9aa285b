# The notes as an image of their own; another application is a folder in the place of apps/notes:
# docker build --build-arg APP=apps/todo .
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cp "$(scripts/dist)" /usr/local/bin/carafe

FROM debian:bookworm-slim
ARG APP=apps/notes
LABEL org.opencontainers.image.title="Carafe" \
      org.opencontainers.image.source="https://github.com/carafe/carafe" \
      org.opencontainers.image.licenses="MIT"
RUN useradd --system --uid 10001 --home-dir /data carafe && install -d -o carafe -m 0700 /data
# What a PostgreSQL server's certificate is checked by.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usr/local/bin/carafe /usr/local/bin/carafe
COPY ${APP} /app
# A number, so that hosts can see that it is not root.
USER 10001
VOLUME /data
ENV HOST=0.0.0.0 \
    PORT=5000 \
    CARAFE_ENV=production \
    CARAFE_MIGRATE=true \
    DATABASE_URL=sqlite:/data/data.db
EXPOSE 5000
STOPSIGNAL SIGTERM
# Bash speaks to a port by itself; the image has no HTTP client. Not for a server with a
# certificate of its own.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["bash", "-c", "exec 3<>\"/dev/tcp/127.0.0.1/$PORT\" && printf 'GET /health/live HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["carafe"]
CMD ["serve", "/app"]
