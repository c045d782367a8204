package lab

import (
	"cmp"
	"io"
	"time"

	"github.com/versatus/snowdrop/internal/lab/api"
	"github.com/versatus/snowdrop/internal/lab/disk"
	"github.com/versatus/snowdrop/internal/lab/fault"
	"github.com/versatus/snowdrop/internal/lab/hub"
)

// ImageSpec says what a simulated droplet does with the image that carries it.
type ImageSpec = disk.Spec

// Answer is what a simulated droplet's web server answers for one path.
type Answer = disk.Answer

// Fault is one thing that goes wrong on purpose.
type Fault = fault.Fault

// Token is a bearer token of the API; one without scopes may do everything.
type Token = api.Token

// GitHub says what GitHub looks like.
type GitHub = hub.Config

// MakeImage writes a small valid raw disk that carries the ImageSpec.
func MakeImage(w io.Writer, spec ImageSpec) error {
	return disk.Make(w, spec)
}

// ParseFault reads KIND[=TARGET][,count=N][,skip=N][,status=N][,delay=D][,message=TEXT].
func ParseFault(s string) (Fault, error) {
	return fault.Parse(s)
}

// Faults describes every kind of fault, for help texts.
func Faults() []fault.Description { return fault.Kinds() }

// Config says what a lab looks like. The zero Config is a lab without droplets.
type Config struct {
	// Listen, ListenSpace, ListenSSH and ListenGitHub are loopback addresses; default
	// 127.0.0.1:0.
	Listen, ListenSpace, ListenSSH, ListenGitHub string
	// Token may do everything; default "lab-token". Tokens are further ones.
	Token  string
	Tokens []Token
	// Bucket is the Space's name, default "lab"; the keys have defaults too.
	Bucket, AccessKey, SecretKey string
	Droplets                     []DropletSpec
	// GitHub is the repository and who may call; its faults are the lab's.
	GitHub GitHub
	// Timings are how long things take; the zero Timings are Fast.
	Timings Timings
	// RequestsPerHour and RequestsPerMinute are a token's limits; default 5000 and 250.
	RequestsPerHour, RequestsPerMinute int
	// StrictHead makes an import fail when HEAD of its URL is not answered with
	// success; what the real service does there is disputed.
	StrictHead bool
	Faults     []Fault
	// Real takes droplets that systemd-nspawn boots, instead of simulated ones.
	Real bool
	// StateDir is where objects and disks lie, in a directory of the lab's own that
	// Close removes; default: the system's for temporary files.
	StateDir string
	// Log is told in one line each what happens; nil says nothing.
	Log func(string)
}

// DropletSpec is a droplet that the account has.
type DropletSpec struct {
	Name string
	// Region and Size default to nyc3 and s-1vcpu-1gb.
	Region, Size string
	Tags         []string
	// Volumes are mounted at /mnt/NAME and survive a rebuild.
	Volumes []string
	IPv6    bool
	// DiskGB overrides the disk of the size.
	DiskGB int
	// Image is what it runs at first, nil for a plain Ubuntu (simulated droplets).
	Image *ImageSpec
	// ImageFile is an uncompressed disk that it is booted from at first (real
	// droplets); without it the droplet is off until it is rebuilt.
	ImageFile string
}

// Droplet is the same as DropletSpec.
type Droplet = DropletSpec

// Timings are how long things take in the lab.
type Timings struct {
	// New is how long an image is NEW, Pending how long at least it is pending.
	New, Pending time.Duration
	// These are actions.
	Transfer, Create, Rebuild, Power, Snapshot time.Duration
	// SSH is from power-on to an answer on port 22, Units from there to running.
	SSH, Units time.Duration
	// Restart is between two crashes of a unit; Start is how long one takes to start.
	Restart, Start time.Duration
	// Timeout is how long a connection to a machine that is not there hangs.
	Timeout time.Duration
	// Second is how long a droplet's programs sleep for each second that they are told
	// to; 0 is a second. It is not scaled: who waits for a droplet has a clock, too.
	Second time.Duration
}

// Fast are timings that let one see each phase and yet deploy in seconds.
func Fast() Timings {
	return Realistic().Scaled(1.0 / 100)
}

// Instant are timings for tests: phases are still there, for a moment.
func Instant() Timings {
	return Realistic().Scaled(1.0 / 2000)
}

// Realistic are timings as people report them of the real services.
func Realistic() Timings {
	return Timings{
		New: 5 * time.Second, Pending: 2 * time.Minute, Transfer: time.Minute, Create: 30 * time.Second, Rebuild: time.Minute,
		Power: 10 * time.Second, Snapshot: time.Minute, SSH: 25 * time.Second, Units: 15 * time.Second, Restart: 10 * time.Second,
		Start: 2 * time.Second, Timeout: 2 * time.Minute,
	}
}

// Scaled multiplies all timings.
func (t Timings) Scaled(by float64) Timings {
	for _, d := range []*time.Duration{
		&t.New, &t.Pending, &t.Transfer, &t.Create, &t.Rebuild, &t.Power, &t.Snapshot, &t.SSH, &t.Units, &t.Restart, &t.Start,
		&t.Timeout,
	} {
		*d = time.Duration(float64(*d) * by)
	}
	return t
}

func (c Config) withDefaults() Config {
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:0")
	c.ListenSpace = cmp.Or(c.ListenSpace, "127.0.0.1:0")
	c.ListenSSH = cmp.Or(c.ListenSSH, "127.0.0.1:0")
	c.ListenGitHub = cmp.Or(c.ListenGitHub, "127.0.0.1:0")
	c.Token = cmp.Or(c.Token, "lab-token")
	c.Bucket = cmp.Or(c.Bucket, "lab")
	c.AccessKey = cmp.Or(c.AccessKey, "LABACCESSKEY00000000")
	c.SecretKey = cmp.Or(c.SecretKey, "lab-secret-key-0000000000000000000000000")
	if c.Timings == (Timings{}) {
		c.Timings = Fast()
	}
	if c.Log == nil {
		c.Log = func(string) {}
	}
	return c
}
