// Package connect makes the clients of the outside systems from a fleet file and
// the environment: the one place where both front ends get them from.
package connect

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/anywhere"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/redact"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/space"
)

// The environment variables that are read. Where two names stand, the first one
// that is set counts: the others are those that doctl and terraform know.
const (
	EnvToken       = "DIGITALOCEAN_ACCESS_TOKEN"
	EnvTokenOther  = "DIGITALOCEAN_TOKEN"
	EnvAPIURL      = "DIGITALOCEAN_API_URL"
	EnvSpaceKey    = "SPACES_ACCESS_KEY_ID"
	EnvSpaceSecret = "SPACES_SECRET_ACCESS_KEY" //nolint:gosec // the variable's name
	EnvSpaceURL    = "SPACES_ENDPOINT_URL"
	EnvPoll        = "SNOWDROP_POLL"
)

// Options are what the fleet file does not say.
type Options struct {
	// Getenv reads the environment.
	Getenv func(string) string
	// Sink takes the events; what it gets is redacted.
	Sink event.Sink
	// Redact gets to know all secrets of the run; nil: one of its own does.
	Redact *redact.Redactor
	// Learn, if set, takes in the secrets that are only read while the run is on.
	Learn func(secret string)
	// Nix replaces the nix program, as in the demo where there is none.
	Nix deploy.Nix
	// RunURL is where the run can be watched; it goes into the records.
	RunURL string
	// NixConfig are further lines for nix.conf.
	NixConfig string
	// Ancestry, if set, knows which of two commits is the older one.
	Ancestry deploy.Ancestry
}

// Outside are the clients of one run.
type Outside struct {
	// Ocean is nil without a token, which a fleet without droplets does not need.
	Ocean    *ocean.Client
	Space    *space.Client
	SSH      *remote.Dialer
	Nix      *nix.Client
	Anywhere *anywhere.Client
	Redact   *redact.Redactor
	Clock    ocean.Clock
}

// Connect makes the clients; it does not speak to anybody yet. An error lists
// everything that is missing, with the name of the variable to set.
func Connect(f *fleet.Fleet, o Options) (*Outside, error) {
	out := &Outside{Redact: redactor(f, o), Clock: ocean.RealClock()}
	var faults []error
	var err error
	if out.Ocean, err = Ocean(o.Getenv); err != nil && needsAccount(f) {
		faults = append(faults, err)
	}
	if out.Space, err = openSpace(f, o.Getenv); err != nil {
		faults = append(faults, err)
	}
	if out.SSH, err = remote.New(remote.Config{Env: o.Getenv}); err != nil {
		faults = append(faults, fmt.Errorf("prepare SSH: %w", err))
	}
	out.Nix = newNix(f, o)
	out.Anywhere = newAnywhere(f, o)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return out, nil
}

// needsAccount says whether a fleet has, or can have, droplets.
func needsAccount(f *fleet.Fleet) bool {
	for _, s := range f.Servers {
		if s.Provider != fleet.SSHHosts {
			return true
		}
	}
	return f.Preview != nil || len(f.Servers) == 0
}

// Deployer makes a Deployer for a fleet.
func (o *Outside) Deployer(f *fleet.Fleet, opt Options) *deploy.Deployer {
	config := deploy.Config{
		Fleet: f, Nix: o.Nix, Space: o.Space, SSH: o.SSH, Anywhere: o.Anywhere,
		Sink: o.Redact.Sink(opt.Sink), Clock: o.Clock, Getenv: opt.Getenv, RunURL: opt.RunURL,
		Redact: o.Redact.String, Learn: learn(o.Redact, opt), Ancestry: opt.Ancestry,
	}
	if o.Ocean != nil { // a nil pointer is not a nil interface
		config.Ocean = o.Ocean
	}
	if opt.Nix != nil {
		config.Nix = opt.Nix
	}
	return deploy.New(config)
}

// Evaluator makes a Deployer for Evaluate alone, which needs no credentials.
func Evaluator(f *fleet.Fleet, o Options, r *redact.Redactor) *deploy.Deployer {
	return deploy.New(deploy.Config{
		Fleet: f, Nix: newNix(f, o), Sink: r.Sink(o.Sink), Clock: ocean.RealClock(), Getenv: o.Getenv, Redact: r.String,
	})
}

// Missing are the variables without which the account and the Space cannot be
// asked.
func Missing(getenv func(string) string) []string {
	var missing []string
	if first(getenv, EnvToken, EnvTokenOther) == "" {
		missing = append(missing, EnvToken)
	}
	for _, name := range []string{EnvSpaceKey, EnvSpaceSecret} {
		if getenv(name) == "" {
			missing = append(missing, name)
		}
	}
	return missing
}

// StorePassword is the password in the address of a store of nix; empty if there is
// none. It is a secret as others are.
func StorePassword(store string) string {
	address, err := url.Parse(store)
	if err != nil {
		return ""
	}
	password, _ := address.User.Password()
	return password
}

// Ocean makes the client of DigitalOcean's API alone.
func Ocean(getenv func(string) string) (*ocean.Client, error) {
	token := first(getenv, EnvToken, EnvTokenOther)
	if token == "" {
		return nil, fmt.Errorf("no DigitalOcean token: set %s (or %s) to a token of DigitalOcean's control panel, API → Tokens", EnvToken, EnvTokenOther)
	}
	poll, err := pollInterval(getenv)
	if err != nil {
		return nil, err
	}
	client, err := ocean.New(ocean.Config{Token: token, BaseURL: getenv(EnvAPIURL), UserAgent: "snowdrop/" + Version(), Poll: poll})
	if err != nil {
		return nil, fmt.Errorf("prepare the DigitalOcean client: %w", err)
	}
	return client, nil
}

// pollInterval is the first wait between two looks at what is being waited for.
func pollInterval(getenv func(string) string) (time.Duration, error) {
	text := getenv(EnvPoll)
	if text == "" {
		return 0, nil
	}
	poll, err := time.ParseDuration(text)
	if err != nil || poll <= 0 {
		return 0, fmt.Errorf("%s=%q is not a duration such as 2s", EnvPoll, text)
	}
	return poll, nil
}

func openSpace(f *fleet.Fleet, getenv func(string) string) (*space.Client, error) {
	var missing []string
	for _, name := range []string{EnvSpaceKey, EnvSpaceSecret} {
		if getenv(name) == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("no keys for the Space %s: set %s to a key pair of DigitalOcean's control panel, Spaces → Access Keys",
			f.Space.Bucket, strings.Join(missing, " and "))
	}
	endpoint := getenv(EnvSpaceURL)
	if endpoint == "" {
		endpoint = f.Space.URL()
	}
	client, err := space.New(space.Config{
		Bucket: f.Space.Bucket, Region: f.Space.Region, Endpoint: endpoint, Prefix: f.Space.Prefix,
		AccessKey: getenv(EnvSpaceKey), SecretKey: getenv(EnvSpaceSecret),
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the Space %s: %w", f.Space.Bucket, err)
	}
	return client, nil
}

// Nix makes the client of the nix program, which keeps its logs under the user's
// cache folder, or a temporary one.
func Nix(f *fleet.Fleet) *nix.Client { return newNix(f, Options{}) }

func newNix(f *fleet.Fleet, o Options) *nix.Client {
	return nix.New(nix.Config{
		Options: f.Nix.Options, Builders: f.Nix.Builders, LogDir: logDir(), Dir: filepath.Dir(f.Path), Env: nixEnv(o),
	})
}

// newAnywhere makes the client of nixos-anywhere, which is other people's program:
// it gets no token, and no secret of the servers.
func newAnywhere(f *fleet.Fleet, o Options) *anywhere.Client {
	return anywhere.New(anywhere.Config{
		Options: f.Nix.Options, Builders: f.Nix.Builders, LogDir: logDir(), Dir: filepath.Dir(f.Path), Env: nixEnv(o),
		Withheld: append(credentialNames(), secretNames(f)...),
	})
}

// logDir is where the output of programs that failed is kept.
func logDir() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return filepath.Join(cache, "snowdrop", "logs")
}

func nixEnv(o Options) []string {
	if o.NixConfig == "" {
		return nil
	}
	// What the user has set so already comes first, so that ours counts.
	return []string{"NIX_CONFIG=" + strings.TrimSpace(os.Getenv("NIX_CONFIG")+"\n"+o.NixConfig)}
}

// redactor is one that knows every secret that can be known before the run.
func redactor(f *fleet.Fleet, o Options) *redact.Redactor {
	r := o.Redact
	if r == nil {
		r = Secrets(o.Getenv)
	}
	r.Add(FileSecrets(f, o.Getenv)...)
	return r
}

// mostSecret is the largest content that is looked for in all that is told, in bytes.
// A larger one is data, and to look for it in all its forms would take long.
const mostSecret = 16 << 10

// learn takes in what files and commands say while the run is on.
func learn(r *redact.Redactor, o Options) func(string) {
	return func(secret string) {
		if len(secret) > mostSecret {
			return
		}
		r.Add(secret)
		if o.Learn != nil {
			o.Learn(secret)
		}
	}
}

// Secrets makes a redactor that knows every credential of the environment.
func Secrets(getenv func(string) string) *redact.Redactor {
	return redact.New(Credentials(getenv)...)
}

// Credentials are those of the environment.
func Credentials(getenv func(string) string) []string {
	var all []string
	for _, name := range credentialNames() {
		if value := getenv(name); value != "" {
			all = append(all, value)
		}
	}
	return all
}

func credentialNames() []string {
	return []string{EnvToken, EnvTokenOther, EnvSpaceSecret, EnvSpaceKey, remote.EnvPrivateKey, "GITHUB_TOKEN"}
}

// FileSecrets are the contents of servers' files that come from the environment and
// from files, and the keys that name a variable. What commands print is known once they
// are run.
func FileSecrets(f *fleet.Fleet, getenv func(string) string) []string {
	var secrets []string
	for _, name := range secretNames(f) {
		secrets = append(secrets, getenv(name))
	}
	for _, s := range f.Servers {
		for _, file := range s.Files {
			if content, ok := remote.PeekFile(file.From.File, getenv, mostSecret); ok && file.From.File != "" {
				secrets = append(secrets, content)
			}
		}
	}
	return secrets
}

// secretNames are the variables that files and keys of servers come from.
func secretNames(f *fleet.Fleet) []string {
	var names []string
	for _, s := range f.Servers {
		for _, file := range s.Files {
			if file.From.Env != "" {
				names = append(names, file.From.Env)
			}
		}
		if id := s.SSH.Identity; id != nil && id.Env != "" {
			names = append(names, id.Env)
		}
	}
	return names
}

// version is set by the linker where the build cannot see the repository, as in the
// action's image: -ldflags "-X github.com/versatus/snowdrop/internal/connect.version=v1.2.3".
var version string //nolint:gochecknoglobals // the linker can set nothing else

// Version is the version that the binary was built as: a tag, a commit, or
// "devel".
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}

func first(getenv func(string) string, names ...string) string {
	for _, name := range names {
		if v := getenv(name); v != "" {
			return v
		}
	}
	return ""
}
