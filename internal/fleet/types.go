// Package fleet reads snowdrop.yaml: types, strict loading, defaults,
// validation and the JSON Schema.
package fleet

import "time"

// Fleet is all that snowdrop.yaml describes, defaults applied.
type Fleet struct {
	// Path is the file that it was read from.
	Path string `yaml:"-" json:"-"`

	Flake    string            `yaml:"flake" json:"flake,omitempty"`
	Space    Space             `yaml:"space" json:"space"`
	Nix      Nix               `yaml:"nix" json:"nix,omitzero"`
	Defaults Server            `yaml:"defaults" json:"defaults,omitzero"`
	Servers  map[string]Server `yaml:"servers" json:"servers"`
	Cycles   map[string]Cycle  `yaml:"cycles" json:"cycles,omitempty"`
}

// Space is the bucket that images pass through and that records live in.
type Space struct {
	Bucket string `yaml:"bucket" json:"bucket"`
	// Region is DigitalOcean's region of the Space, such as nyc3.
	Region string `yaml:"region" json:"region,omitempty"`
	// Endpoint is any S3's address; default: https://<region>.digitaloceanspaces.com.
	Endpoint string `yaml:"endpoint" json:"endpoint,omitempty"`
	// Prefix stands before every key; it ends in "/" unless it is empty.
	Prefix string `yaml:"prefix" json:"prefix,omitempty"`
	// Delivery is how DigitalOcean gets at the object.
	Delivery Delivery `yaml:"delivery" json:"delivery,omitempty"`
	// KeepObjects leaves the object in the Space after the import.
	KeepObjects bool `yaml:"keep-objects" json:"keep-objects,omitempty"`
	// ImportTimeout bounds one import.
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
	Options  map[string]string `yaml:"options" json:"options,omitempty"`
	Builders string            `yaml:"builders" json:"builders,omitempty"`
}

// Server is one NixOS configuration, its image, and the droplets that run it.
type Server struct {
	// Name is the key in the fleet file.
	Name string `yaml:"-" json:"-"`

	// Image is the installable of the disk image.
	Image string `yaml:"image" json:"image,omitempty"`
	// System is the installable of the toplevel; empty where the image is given
	// and the toplevel is not: then verification cannot know the expected system.
	System   string   `yaml:"system" json:"system,omitempty"`
	Droplets Droplets `yaml:"droplets" json:"droplets,omitzero"`
	Cycle    string   `yaml:"cycle" json:"cycle,omitempty"`
	// Keep is how many of the server's newest custom images stay.
	Keep    int     `yaml:"keep" json:"keep,omitempty"`
	SSH     SSH     `yaml:"ssh" json:"ssh,omitzero"`
	Files   []File  `yaml:"files" json:"files,omitempty"`
	Rollout Rollout `yaml:"rollout" json:"rollout,omitzero"`
	Verify  Verify  `yaml:"verify" json:"verify,omitzero"`
}

// Droplets says which droplets run a server: by name or by tag, not both.
type Droplets struct {
	Names []string `yaml:"names" json:"names,omitempty"`
	Tag   string   `yaml:"tag" json:"tag,omitempty"`
}

// SSH says how a server's droplets are reached.
type SSH struct {
	User string `yaml:"user" json:"user,omitempty"`
	Port int    `yaml:"port" json:"port,omitempty"`
	// Address is which of the droplet's addresses is used: public or private.
	Address string `yaml:"address" json:"address,omitempty"`
	// Jump is a host to go through; http and tcp checks go through it too.
	Jump *Jump `yaml:"jump" json:"jump,omitempty"`
	// Identity is the private key; without it the agent and SSH_PRIVATE_KEY serve.
	Identity               *Source       `yaml:"identity" json:"identity,omitempty"`
	HostKeyPolicy          HostKeyPolicy `yaml:"host-key-policy" json:"host-key-policy,omitempty"`
	HostKeys               []string      `yaml:"host-keys" json:"host-keys,omitempty"`
	CertificateAuthorities []string      `yaml:"certificate-authorities" json:"certificate-authorities,omitempty"`
}

// Jump is an SSH server that forwards connections to the droplets.
type Jump struct {
	Host     string   `yaml:"host" json:"host"`
	Port     int      `yaml:"port" json:"port,omitempty"`
	User     string   `yaml:"user" json:"user,omitempty"`
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
	Path    string   `yaml:"path" json:"path"`
	From    Source   `yaml:"from" json:"from"`
	Mode    string   `yaml:"mode" json:"mode,omitempty"`
	Owner   string   `yaml:"owner" json:"owner,omitempty"`
	Group   string   `yaml:"group" json:"group,omitempty"`
	Restart []string `yaml:"restart" json:"restart,omitempty"`
}

// Source is where a secret comes from: exactly one of its fields is set.
type Source struct {
	Env     string   `yaml:"env" json:"env,omitempty"`
	File    string   `yaml:"file" json:"file,omitempty"`
	Command []string `yaml:"command" json:"command,omitempty"`
}

// Rollout is the order and the batches in which droplets are rebuilt.
type Rollout struct {
	Batch Batch `yaml:"batch" json:"batch,omitempty"`
	// OnFailure is stop or rollback.
	OnFailure OnFailure `yaml:"on-failure" json:"on-failure,omitempty"`
	// MaxFailures is how many droplets may fail before the rollout stops.
	MaxFailures int `yaml:"max-failures" json:"max-failures,omitempty"`
	// RebuildTimeout bounds one rebuild action.
	RebuildTimeout Duration `yaml:"rebuild-timeout" json:"rebuild-timeout,omitempty"`
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
	Units []string `yaml:"units" json:"units,omitempty"`
	// UserUnits are units of users' managers, by user name.
	UserUnits map[string][]string `yaml:"user-units" json:"user-units,omitempty"`
	// AllowFailed are units whose failure does not count; globs are allowed.
	AllowFailed []string    `yaml:"allow-failed" json:"allow-failed,omitempty"`
	HTTP        []HTTPCheck `yaml:"http" json:"http,omitempty"`
	TCP         []int       `yaml:"tcp" json:"tcp,omitempty"`
	// Run are commands that must exit 0 on the droplet.
	Run     []string `yaml:"run" json:"run,omitempty"`
	Soak    Duration `yaml:"soak" json:"soak,omitempty"`
	Timeout Duration `yaml:"timeout" json:"timeout,omitempty"`
}

// HTTPCheck is a request that must answer with Status.
type HTTPCheck struct {
	// URL is a template: {{.IPv4}}, {{.PrivateIPv4}} and {{.Name}} are the droplet's.
	URL    string `yaml:"url" json:"url"`
	Status int    `yaml:"status" json:"status,omitempty"`
}

// Cycle is a release cycle: when its servers are deployed without being asked.
type Cycle struct {
	Cron string `yaml:"cron" json:"cron"`
}

// Duration is a time.Duration written as in Go ("10s", "1h30m").
type Duration time.Duration

// Batch is how many droplets are rebuilt at once: a number or a percentage.
type Batch struct {
	Count   int
	Percent int
}
