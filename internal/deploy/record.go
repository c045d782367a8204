package deploy

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/space"
)

// saveTimeout bounds the writing of a record in a run that was cancelled: the
// process has a few seconds left, and what is known must not be lost.
const saveTimeout = 3 * time.Second

// keeper holds a server's record during a run. Droplets change it side by side;
// it is written to the Space before each rebuild and after each batch, so that a
// run that is cut off anywhere leaves behind what it knew.
type keeper struct {
	store  *release.Store
	redact func(string) string
	mu     sync.Mutex
	rec    *release.Record
}

// keep makes a keeper of a record.
func (d *Deployer) keep(rec *release.Record) *keeper {
	return &keeper{store: d.records, redact: d.Redact, rec: rec}
}

// update changes the record and writes it, even if ctx is already cancelled.
func (k *keeper) update(ctx context.Context, change func(*release.Record)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(k.rec)
	clean(k.rec, k.redact)
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
		defer cancel()
	}
	return wrap(k.store.Save(ctx, k.rec), "keep the record of %s", k.rec.Server)
}

// note changes the record in memory; the next update writes it.
func (k *keeper) note(change func(*release.Record)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(k.rec)
}

// droplet returns what the record says of a droplet, as a copy; the zero value
// if it says nothing.
func (k *keeper) droplet(id int) release.Droplet {
	k.mu.Lock()
	defer k.mu.Unlock()
	if d := k.rec.Droplet(id); d != nil {
		return *d
	}
	return release.Droplet{ID: id}
}

// snapshot returns a copy that no one else changes.
func (k *keeper) snapshot() *release.Record {
	k.mu.Lock()
	defer k.mu.Unlock()
	rec := *k.rec
	rec.Droplets = slices.Clone(rec.Droplets)
	return &rec
}

// clean takes secrets out of the texts of a record that come from outside: what
// an error said, what a check saw, what stood in a journal.
func clean(rec *release.Record, redact func(string) string) {
	rec.Failure = redact(rec.Failure)
	for _, d := range rec.Droplets {
		if d.Evidence == nil {
			continue
		}
		for i := range d.Evidence.Checks {
			c := &d.Evidence.Checks[i]
			c.Name, c.Want, c.Got = redact(c.Name), redact(c.Want), redact(c.Got)
		}
		for _, unit := range d.Evidence.Failed {
			for i := range unit.Journal {
				unit.Journal[i] = redact(unit.Journal[i])
			}
		}
	}
}

// entry returns the record's entry for a droplet, made if need be.
func entry(rec *release.Record, id int, name string) *release.Droplet {
	if d := rec.Droplet(id); d != nil {
		d.Name = name
		return d
	}
	rec.Droplets = append(rec.Droplets, release.Droplet{ID: id, Name: name})
	return &rec.Droplets[len(rec.Droplets)-1]
}

// objects is the Space as the record store wants it.
type objects struct{ Space }

func (o objects) Get(ctx context.Context, key string) ([]byte, error) {
	data, err := o.Space.Get(ctx, key)
	if errors.Is(err, space.ErrNotFound) {
		return nil, errors.Join(release.ErrNotFound, err)
	}
	return data, err //nolint:wrapcheck // the store says which record
}

func (o objects) Keys(ctx context.Context, prefix string) ([]string, error) {
	list, err := o.List(ctx, prefix)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says which server
	}
	keys := make([]string, len(list))
	for i, object := range list {
		keys[i] = object.Key
	}
	return keys, nil
}
