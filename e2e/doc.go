// Package e2e drives the snowdrop program as a person would, against real parts:
// Nix builds the images, an S3 server that checks signatures keeps them, machines
// boot them, and doctl looks on. `make e2e` runs it; see README.md.
package e2e
