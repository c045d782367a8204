# The image of the GitHub Action: snowdrop, Nix, and what Nix calls.
#
# GitHub builds it from here for whoever uses the action at a commit. A release has
# it ready made (CONTRIBUTING.md, "Cut a release"). Any builder can build it,
# BuildKit or not.
ARG GO_IMAGE=golang:1.26-trixie
ARG BASE_IMAGE=debian:trixie-slim

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /snowdrop .

FROM ${BASE_IMAGE}
# git: Nix fetches flakes with it. openssh-client: Nix reaches remote builders with it
# (snowdrop itself has its own SSH client).
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates git nix-bin openssh-client \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /snowdrop /usr/local/bin/snowdrop
ENTRYPOINT ["/usr/local/bin/snowdrop"]
