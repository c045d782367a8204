// Package fleet reads snowdrop.yaml: types, strict loading, defaults,
// validation and the JSON Schema.
package fleet

import "time"

// Fleet is all that snowdrop.yaml describes, defaults applied.
type Fleet struct {
	// Path is the file that it was read from.
	Path string `yaml:"-" json:"-"`

	// Flake is the flake that the servers' installables default to; default: ".".
	Flake string `yaml:"flake" json:"flake,omitempty"`
	// Space is the bucket that images pass through and that records live in.
	Space Space `yaml:"space" json:"space"`
	// Nix is passed on to every nix command.
	Nix Nix `yaml:"nix" json:"nix,omitzero"`
	// Defaults may hold every server key. Mappings are merged with the server's
	// own, lists and scalars give way to them. Here they are as written: the
	// servers have them applied already.
	Defaults Server `yaml:"defaults" json:"defaults,omitzero"`
	// Servers are the servers by name: lower-case letters, digits, "-" and "_".
	Servers map[string]Server `yaml:"servers" json:"servers"`
	// Cycles are the release cycles by name.
	Cycles map[string]Cycle `yaml:"cycles" json:"cycles,omitempty"`
	// Preview lets pull requests have droplets of their own; without it there are none.
	Preview *Preview `yaml:"preview" json:"preview,omitempty"`
}

// Space is the bucket that images pass through and that records live in.
type Space struct {
	// Bucket is the Space's name.
	Bucket string `yaml:"bucket" json:"bucket"`
	// Region is DigitalOcean's region of the Space, such as nyc3.
	Region string `yaml:"region" json:"region,omitempty"`
	// Endpoint is any S3's address; default: https://<region>.digitaloceanspaces.com.
	Endpoint string `yaml:"endpoint" json:"endpoint,omitempty"`
	// Prefix stands before every key; it ends in "/" unless it is empty (one is
	// added where it is left out).
	Prefix string `yaml:"prefix" json:"prefix,omitempty"`
	// Delivery is how DigitalOcean gets at the object: by a presigned URL, or by
	// making it readable to everyone until it is imported; default: presigned.
	Delivery Delivery `yaml:"delivery" json:"delivery,omitempty"`
	// KeepObjects leaves the object in the Space after the import.
	KeepObjects bool `yaml:"keep-objects" json:"keep-objects,omitempty"`
	// ImportTimeout bounds one import; default: 60m.
	ImportTimeout Duration `yaml:"import-timeout" json:"import-timeout,omitempty"`
}

// Delivery is how DigitalOcean gets at an object in the Space.
type Delivery string

// The deliveries.
const (
	Presigned  Delivery = "presigned"
	PublicRead Delivery = "public-read"
)

// Nix is passed on to every nix command.
type Nix struct {
	// Options are settings of nix.conf, as by nix's --option.
	Options map[string]string `yaml:"options" json:"options,omitempty" accept:"scalars"`
	// Builders are remote builders, as in nix.conf's "builders".
	Builders string `yaml:"builders" json:"builders,omitempty"`
}

// Server is one NixOS configuration, its image, and the droplets that run it.
type Server struct {
	// Name is the key in the fleet file.
	Name string `yaml:"-" json:"-"`

	// Provider is where the server's machines are: digitalocean, or ssh for any
	// machines that SSH reaches, which get no images; default: digitalocean.
	Provider Provider `yaml:"provider" json:"provider,omitempty"`
	// Hosts are the machines of a server of provider ssh, in the order in which they
	// are changed.
	Hosts []Host `yaml:"hosts" json:"hosts,omitempty"`
	// Image is the installable of the disk image; default:
	// .#nixosConfigurations.<name>.config.system.build.digitalOceanImage.
	Image string `yaml:"image" json:"image,omitempty"`
	// System is the installable of the toplevel; empty where the image is given
	// and the toplevel is not: then verification cannot know the expected system.
	System string `yaml:"system" json:"system,omitempty"`
	// VM is the installable of a script that runs the server as a local virtual
	// machine; default: beside System, where that is a config.system.build.toplevel.
	VM string `yaml:"vm" json:"vm,omitempty"`
	// Droplets says which droplets run the server; default: the one of its name.
	Droplets Droplets `yaml:"droplets" json:"droplets,omitzero"`
	// URL is where people see what the server serves; GitHub links to it from the
	// server's deployments.
	URL string `yaml:"url" json:"url,omitempty"`
	// Cycle is the release cycle that deploys the server.
	Cycle string `yaml:"cycle" json:"cycle,omitempty"`
	// Keep is how many of the server's newest custom images stay; default: 3.
	Keep int `yaml:"keep" json:"keep,omitempty"`
	// SSH says how the droplets are reached.
	SSH SSH `yaml:"ssh" json:"ssh,omitzero"`
	// Files are written over SSH after the new boot, before verification.
	Files []File `yaml:"files" json:"files,omitempty"`
	// Rollout is the order and the batches in which droplets are rebuilt.
	Rollout Rollout `yaml:"rollout" json:"rollout,omitzero"`
	// Verify is what must hold before a droplet counts as verified.
	Verify Verify `yaml:"verify" json:"verify,omitzero"`
}

// Provider is where a server's machines are.
type Provider string

// The providers; DigitalOcean is the default.
const (
	DigitalOcean Provider = "digitalocean"
	SSHHosts     Provider = "ssh"
)

// Host is a machine that SSH reaches and that snowdrop did not make.
type Host struct {
	// Name is how people call it.
	Name string `yaml:"name" json:"name"`
	// Address is a host name or an address; default: its name.
	Address string `yaml:"address" json:"address,omitempty"`
}

// Droplets says which droplets run a server: by name or by tag, not both.
type Droplets struct {
	// Names are the droplets' names, in the order in which they are rebuilt.
	Names []string `yaml:"names" json:"names,omitempty"`
	// Tag is a DigitalOcean tag: every droplet that carries it runs the server.
	Tag string `yaml:"tag" json:"tag,omitempty"`
}

// SSH says how a server's droplets are reached.
type SSH struct {
	// User is the user to log in as; default: root.
	User string `yaml:"user" json:"user,omitempty"`
	// Port is the SSH server's port; default: 22.
	Port int `yaml:"port" json:"port,omitempty"`
	// Address is which of the droplet's addresses is used: public or private;
	// default: public.
	Address string `yaml:"address" json:"address,omitempty"`
	// Jump is a host to go through; http and tcp checks go through it too.
	Jump *Jump `yaml:"jump" json:"jump,omitempty"`
	// Identity is the private key; without it the agent and SSH_PRIVATE_KEY serve.
	Identity *Source `yaml:"identity" json:"identity,omitempty"`
	// HostKeyPolicy says which host keys are accepted: rotate demands the known
	// ones, except once after our own rebuild; strict demands pinned ones or a
	// certificate authority; accept-new takes what a new host shows.
	HostKeyPolicy HostKeyPolicy `yaml:"host-key-policy" json:"host-key-policy,omitempty"`
	// HostKeys are pinned public host keys, such as "ssh-ed25519 AAAA…".
	HostKeys []string `yaml:"host-keys" json:"host-keys,omitempty"`
	// CertificateAuthorities are public keys that sign host certificates.
	CertificateAuthorities []string `yaml:"certificate-authorities" json:"certificate-authorities,omitempty"`
}

// Jump is an SSH server that forwards connections to the droplets.
type Jump struct {
	// Host is a host name or an address.
	Host string `yaml:"host" json:"host"`
	// Port is its SSH server's port; default: 22.
	Port int `yaml:"port" json:"port,omitempty"`
	// User is the user to log in as; default: the one of the droplets.
	User string `yaml:"user" json:"user,omitempty"`
	// HostKeys are its pinned public host keys.
	HostKeys []string `yaml:"host-keys" json:"host-keys,omitempty"`
}

// HostKeyPolicy says which host keys of a droplet are accepted.
type HostKeyPolicy string

// The policies; Rotate is the default.
const (
	Rotate    HostKeyPolicy = "rotate"
	Strict    HostKeyPolicy = "strict"
	AcceptNew HostKeyPolicy = "accept-new"
)

// File is written over SSH after the new boot, before verification.
type File struct {
	// Path is where it is written on the droplet.
	Path string `yaml:"path" json:"path"`
	// From is where its content comes from.
	From Source `yaml:"from" json:"from"`
	// Mode is its octal mode, in quotes; default: "0400".
	Mode string `yaml:"mode" json:"mode,omitempty"`
	// Owner is the user it belongs to; default: root.
	Owner string `yaml:"owner" json:"owner,omitempty"`
	// Group is the group it belongs to; default: root.
	Group string `yaml:"group" json:"group,omitempty"`
	// Restart are units that are restarted after it was written.
	Restart []string `yaml:"restart" json:"restart,omitempty"`
}

// Source is where a secret comes from: exactly one of its fields is set.
type Source struct {
	// Env is the name of an environment variable that holds it.
	Env string `yaml:"env" json:"env,omitempty"`
	// File is a file that holds it, here, not on the droplet.
	File string `yaml:"file" json:"file,omitempty"`
	// Command is a program and its arguments, run here, that prints it; a plain
	// string is run by sh -c.
	Command []string `yaml:"command" json:"command,omitempty" accept:"shell"`
}

// Rollout is the order and the batches in which droplets are rebuilt.
type Rollout struct {
	// Batch is how many droplets are rebuilt at once: a number or a percentage;
	// default: 1.
	Batch Batch `yaml:"batch" json:"batch,omitzero"`
	// OnFailure says what happens when a batch failed: stop, or rollback to the
	// image that its droplets ran before; default: stop.
	OnFailure OnFailure `yaml:"on-failure" json:"on-failure,omitempty"`
	// MaxFailures is how many droplets may fail before the rollout stops.
	MaxFailures int `yaml:"max-failures" json:"max-failures,omitempty"`
	// RebuildTimeout bounds one rebuild action; default: 20m.
	RebuildTimeout Duration `yaml:"rebuild-timeout" json:"rebuild-timeout,omitempty"`
	// ConfirmTimeout is how long a droplet that was switched over SSH waits to be
	// reached over a new connection, before it goes back by itself; default: 60s.
	ConfirmTimeout Duration `yaml:"confirm-timeout" json:"confirm-timeout,omitempty"`
}

// OnFailure says what happens when a batch failed.
type OnFailure string

// What can happen when a batch failed.
const (
	Stop     OnFailure = "stop"
	Rollback OnFailure = "rollback"
)

// Verify is what must hold before a droplet counts as verified.
type Verify struct {
	// Units are systemd units that must be active and stay so.
	Units []string `yaml:"units" json:"units,omitempty"`
	// UserUnits are units of users' managers, by user name.
	UserUnits map[string][]string `yaml:"user-units" json:"user-units,omitempty"`
	// AllowFailed are units whose failure does not count; globs are allowed.
	AllowFailed []string `yaml:"allow-failed" json:"allow-failed,omitempty"`
	// HTTP are requests that must be answered.
	HTTP []HTTPCheck `yaml:"http" json:"http,omitempty"`
	// TCP are ports that must accept connections.
	TCP []int `yaml:"tcp" json:"tcp,omitempty"`
	// Run are commands that must exit 0 on the droplet.
	Run []string `yaml:"run" json:"run,omitempty"`
	// Soak is the time that a droplet must stay healthy; default: 10s.
	Soak Duration `yaml:"soak" json:"soak,omitempty"`
	// Timeout bounds the verification of one droplet; default: 10m.
	Timeout Duration `yaml:"timeout" json:"timeout,omitempty"`
}

// HTTPCheck is a request that must answer with Status.
type HTTPCheck struct {
	// URL is a template: {{.IPv4}}, {{.PrivateIPv4}} and {{.Name}} are the droplet's.
	URL string `yaml:"url" json:"url"`
	// Status is the HTTP status of the answer; default: 200.
	Status int `yaml:"status" json:"status,omitempty"`
}

// Cycle is a release cycle: when its servers are deployed without being asked.
type Cycle struct {
	// Cron is when, in the five fields of cron, in UTC: "0 3 * * *".
	Cron string `yaml:"cron" json:"cron"`
	// Ref is what is deployed: a branch or a tag of the repository's origin, or
	// latest-tag for its newest version; default: what is checked out.
	Ref string `yaml:"ref" json:"ref,omitempty"`
	// Update brings the flake's inputs up to date before the cycle is deployed.
	Update *Update `yaml:"update" json:"update,omitempty"`
}

// LatestTag is the Ref that stands for the newest version among the tags.
const LatestTag = "latest-tag"

// Update brings inputs of the flake up to date, as nix flake update does.
type Update struct {
	// Inputs are the names of the inputs; none means all.
	Inputs []string `yaml:"inputs" json:"inputs,omitempty"`
	// Via is where the changed lock file goes: pull-request offers it for review, and
	// it is deployed once it is merged; branch commits it to Ref, and it is deployed
	// at once; default: pull-request.
	Via UpdateVia `yaml:"via" json:"via,omitempty"`
}

// UpdateVia is where a changed lock file goes.
type UpdateVia string

// The ways of a changed lock file; ViaPullRequest is the default.
const (
	ViaPullRequest UpdateVia = "pull-request"
	ViaBranch      UpdateVia = "branch"
)

// Duration is a time.Duration written as in Go ("10s", "1h30m").
type Duration time.Duration

// Batch is how many droplets are rebuilt at once: a number or a percentage.
type Batch struct {
	Count   int
	Percent int
}
