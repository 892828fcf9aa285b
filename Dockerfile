# The notes as an image of their own; another application is a folder in the place of apps/notes.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p carafe

FROM debian:bookworm-slim
COPY --from=build /src/target/release/carafe /usr/local/bin/carafe
COPY apps/notes /app
RUN useradd --system --uid 10001 carafe && install -d -o carafe /data
USER carafe
VOLUME /data
EXPOSE 5000
ENTRYPOINT ["carafe"]
CMD ["serve", "/app", "--host", "0.0.0.0", "--env", "production", "--migrate", "--database", "sqlite:/data/data.db"]
