# The image of the GitHub Action: snowdrop, Nix, and the programs that Nix calls.
#
# Whoever uses the action at a commit has it built from this file by GitHub's runner.
# A release has it ready made (CONTRIBUTING.md, "Cut a release"). Docker's old builder
# builds it as well as BuildKit.
ARG GO_IMAGE=golang:1.26-trixie
ARG BASE_IMAGE=debian:trixie-slim

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY main.go ./
COPY internal internal
COPY steps steps
# There is no repository here that Go could read a version from.
ARG VERSION=
RUN CGO_ENABLED=0 go build -trimpath -o /snowdrop \
  -ldflags "-s -w -X github.com/versatus/snowdrop/internal/connect.version=${VERSION}" .

FROM ${BASE_IMAGE}
# git: Nix fetches flakes with it. openssh-client: Nix reaches remote builders, and
# flakes by ssh://, with it; snowdrop has an SSH client of its own.
# Git's parts in Perl (send-email, gitweb, …) are of no use here, so Perl's modules
# are left out: a quarter of the image. Perl itself is there, Debian is built on it.
RUN apt-get update \
  && apt-get install -y --no-install-recommends \
    -o 'DPkg::Options::=--path-exclude=/usr/share/perl/*' \
    -o 'DPkg::Options::=--path-exclude=/usr/lib/*/perl/*' \
    -o 'DPkg::Options::=--path-exclude=/usr/lib/*/perl5/*' \
    ca-certificates git nix-bin openssh-client \
  && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log

# The workspace belongs to the runner's user and this runs as root: without
# safe.directory neither git nor the libgit2 in Nix opens it.
#
# Builds run as users of their own, as with every Nix that several people share. In a
# container without privileges Nix finds no namespaces and switches its sandbox off
# (sandbox-fallback, which is on by default). Then nothing but the user keeps a build
# from reading the credentials of this process in /proc. And many packages refuse to
# be built by root.
RUN git config --system safe.directory '*' \
  && groupadd --gid 30000 nixbld \
  && for n in $(seq 32); do \
    useradd --no-create-home --no-log-init --no-user-group --home-dir /var/empty --shell /usr/sbin/nologin \
      --uid $((30000 + n)) --gid nixbld --groups nixbld "nixbld$n"; \
  done \
  && mkdir -p /etc/nix \
  && printf '%s\n' 'experimental-features = nix-command flakes' 'build-users-group = nixbld' 'max-jobs = auto' \
    > /etc/nix/nix.conf \
  && nix-store --init # two programs that find no store at the same time get into each other's way

# GitHub sets HOME to a folder of the runner's user. Nix does not use one that is
# another user's, and says so each time it is called.
ENV NIX_CACHE_HOME=/root/.cache/nix NIX_CONFIG_HOME=/root/.config/nix \
  NIX_DATA_HOME=/root/.local/share/nix NIX_STATE_HOME=/root/.local/state/nix

ARG VERSION=
LABEL org.opencontainers.image.title="snowdrop" \
  org.opencontainers.image.description="Deploys NixOS images to DigitalOcean droplets" \
  org.opencontainers.image.source="https://github.com/versatus/snowdrop" \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.version="${VERSION}"

COPY --from=build /snowdrop /usr/local/bin/snowdrop

# No USER and no WORKDIR: GitHub wants root, and sets the folder itself
# (https://docs.github.com/actions/reference/workflows-and-actions/dockerfile-support).
ENTRYPOINT ["/usr/local/bin/snowdrop"]
