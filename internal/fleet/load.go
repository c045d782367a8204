package fleet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"time"
)

// Load reads a fleet file from disk. A file that is not there is fs.ErrNotExist;
// what is wrong in it is Errors, all of it.
func Load(path string) (*Fleet, error) {
	data, err := os.ReadFile(path) // #nosec G304 -- the file is the one the user named
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no fleet file %s: `snowdrop init` writes one, `--config` names another: %w",
			path, fs.ErrNotExist)
	case err != nil:
		return nil, fmt.Errorf("read the fleet file %s: %w", path, err)
	}
	return Parse(path, data)
}

// Parse reads a fleet file, applies its defaults and the built-in ones, and
// checks all of it. The path is only named in errors, which are Errors.
func Parse(path string, data []byte) (*Fleet, error) {
	s := newSource(path, data)
	root := s.read(data)
	if err := s.err(); err != nil && root == nil {
		return nil, err
	}
	f := s.fleet(root)
	f.Path = path
	if err := s.err(); err != nil {
		return nil, err
	}
	return f, nil
}

func (s *source) fleet(root *node) *Fleet {
	f := &Fleet{
		Flake: ".",
		Space: Space{Delivery: Presigned, ImportTimeout: Duration(time.Hour)},
	}
	s.structure(root.without("servers"), reflect.ValueOf(f).Elem())
	for _, cycle := range f.Cycles {
		cycle.complete()
	}
	f.Servers = map[string]Server{}
	servers := root.get("servers")
	if servers != nil && s.expect(servers, mapping, "") {
		for _, e := range servers.entries {
			f.Servers[e.key.text] = s.server(f.Flake, e, root.get("defaults"))
		}
	}
	if f.Preview != nil {
		f.Preview.complete(root.get("preview"), f.Space)
	}
	s.check(f, root)
	return f
}

// server reads one server, laid over the defaults.
func (s *source) server(flake string, e entry, defaults *node) Server {
	server := builtin(e.key.text)
	s.decode(withDefaults(e.value, defaults), reflect.ValueOf(&server).Elem())
	server.complete(flake)
	return server
}

// withDefaults is the tree of a server over the defaults. A server of which
// only the name is written is all defaults.
func withDefaults(server, defaults *node) *node {
	if server.kind == null {
		empty := *server
		empty.kind, empty.text = mapping, ""
		server = &empty
	}
	return merge(defaults, server)
}

// without is the mapping without one of its keys.
func (n *node) without(key string) *node {
	rest := *n
	rest.entries = nil
	for _, e := range n.entries {
		if e.key.text != key {
			rest.entries = append(rest.entries, e)
		}
	}
	return &rest
}

// builtin is a server of which nothing is written.
func builtin(name string) Server {
	return Server{
		Name:     name,
		Provider: DigitalOcean,
		Keep:     3,
		SSH:      SSH{User: "root", Port: 22, Address: "public", HostKeyPolicy: Rotate},
		Rollout: Rollout{
			Batch:          Batch{Count: 1},
			OnFailure:      Stop,
			RebuildTimeout: Duration(20 * time.Minute),
			ConfirmTimeout: Duration(time.Minute),
		},
		Verify: Verify{
			Soak:    Duration(10 * time.Second),
			Timeout: Duration(10 * time.Minute),
		},
	}
}

// complete gives values to what depends on other values, or stands in a list.
func (s *Server) complete(flake string) {
	build := flake + "#nixosConfigurations." + s.Name + ".config.system.build."
	if s.Image == "" {
		if s.Provider != SSHHosts {
			s.Image = build + "digitalOceanImage"
		}
		if s.System == "" {
			s.System = build + "toplevel"
		}
	}
	if before, ok := strings.CutSuffix(s.System, ".config.system.build.toplevel"); ok && s.VM == "" {
		s.VM = before + ".config.system.build.vm"
	}
	if s.Provider != SSHHosts && len(s.Droplets.Names) == 0 && s.Droplets.Tag == "" {
		s.Droplets.Names = []string{s.Name}
	}
	for i := range s.Hosts {
		if s.Hosts[i].Address == "" {
			s.Hosts[i].Address = s.Hosts[i].Name
		}
	}
	if j := s.SSH.Jump; j != nil {
		if j.Port == 0 {
			j.Port = 22
		}
		if j.User == "" {
			j.User = s.SSH.User
		}
	}
	for i := range s.Files {
		if s.Files[i].Mode == "" {
			s.Files[i].Mode = "0400"
		}
		if s.Files[i].Owner == "" {
			s.Files[i].Owner = "root"
		}
	}
	for i := range s.Verify.HTTP {
		if s.Verify.HTTP[i].Status == 0 {
			s.Verify.HTTP[i].Status = 200
		}
	}
}
