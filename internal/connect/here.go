package connect

import (
	"fmt"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/remote"
)

// Here makes the clients for what is done on this computer alone: Nix and SSH. It needs
// no credentials, and its SSH goes through no jump host of the environment. Ocean and
// Space are nil.
func Here(f *fleet.Fleet, o Options) (*Outside, *deploy.Deployer, error) {
	out := &Outside{Redact: redactor(f, o), Clock: ocean.RealClock(), Nix: newNix(f, o)}
	var err error
	out.SSH, err = remote.New(remote.Config{Env: func(name string) string {
		if name == remote.EnvJump {
			return ""
		}
		return o.Getenv(name)
	}})
	if err != nil {
		return nil, nil, fmt.Errorf("prepare SSH: %w", err)
	}
	config := deploy.Config{
		Fleet: f, Nix: out.Nix, SSH: out.SSH, Sink: out.Redact.Sink(o.Sink), Clock: out.Clock, Getenv: o.Getenv,
		Redact: out.Redact.String, Learn: learn(out.Redact, o),
	}
	if o.Nix != nil {
		config.Nix = o.Nix
	}
	return out, deploy.New(config), nil
}
