package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// ErrNotFound is what Objects.Get must answer (wrapped or not) for an absent key.
var ErrNotFound = errors.New("not found")

// Objects is the part of a Space that a Store needs. Keys are relative to the
// fleet's prefix.
type Objects interface {
	Get(ctx context.Context, key string) ([]byte, error)
	Put(ctx context.Context, key string, data []byte, contentType string) error
	Keys(ctx context.Context, prefix string) ([]string, error)
}

// Store reads and writes records.
type Store struct{ objects Objects }

// NewStore makes a Store on top of a Space.
func NewStore(o Objects) *Store { return &Store{objects: o} }

// Current returns what a server runs, or nil if it was never released. A record
// of a newer format than this program knows is an error: overwriting it could
// lose what the newer program has written.
func (s *Store) Current(ctx context.Context, server string) (*Record, error) {
	rec, err := s.read(ctx, currentKey(server))
	if errors.Is(err, ErrNotFound) {
		return nil, nil //nolint:nilnil // a server without a record is not an error
	}
	return rec, err
}

func (s *Store) read(ctx context.Context, key string) (*Record, error) {
	data, err := s.objects.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read record %s: %w", key, err)
	}
	var rec Record
	if err := json.Unmarshal(data, &rec); err != nil {
		return nil, fmt.Errorf("read record %s: not a record: %w", key, err)
	}
	if rec.Version > FormatVersion {
		return nil, fmt.Errorf("read record %s: written by a newer snowdrop (format %d, this one knows %d): update snowdrop", key, rec.Version, FormatVersion)
	}
	return &rec, nil
}

// Save writes the record as the server's current one. A record that is finished
// is also kept in the history, so a pending one never shows up there.
func (s *Store) Save(ctx context.Context, rec *Record) error {
	rec.Version = FormatVersion
	data, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return fmt.Errorf("write record of %s: %w", rec.Server, err)
	}
	data = append(data, '\n')
	if rec.Outcome != Pending {
		if err := s.objects.Put(ctx, historyKey(rec), data, "application/json"); err != nil {
			return fmt.Errorf("write record of %s to the history: %w", rec.Server, err)
		}
	}
	if err := s.objects.Put(ctx, currentKey(rec.Server), data, "application/json"); err != nil {
		return fmt.Errorf("write record of %s: %w", rec.Server, err)
	}
	return nil
}

// History returns the server's finished records, newest first, limit at most.
func (s *Store) History(ctx context.Context, server string, limit int) ([]*Record, error) {
	keys, err := s.objects.Keys(ctx, historyPrefix(server))
	if err != nil {
		return nil, fmt.Errorf("list the history of %s: %w", server, err)
	}
	slices.Sort(keys)
	slices.Reverse(keys)
	keys = keys[:min(limit, len(keys))]
	records := make([]*Record, 0, len(keys))
	for _, key := range keys {
		rec, err := s.read(ctx, key)
		if err != nil {
			return records, err
		}
		records = append(records, rec)
	}
	return records, nil
}

func currentKey(server string) string { return path.Join("releases", server, "current.json") }

func historyPrefix(server string) string { return "releases/" + server + "/history/" }

// historyKey sorts by time; the revision makes it readable.
func historyKey(rec *Record) string {
	at := rec.FinishedAt
	if at.IsZero() {
		at = rec.StartedAt
	}
	name := at.UTC().Format("20060102T150405.000Z")
	if rec.Revision != "" {
		name += "-" + rec.Revision[:min(12, len(rec.Revision))]
	}
	return historyPrefix(rec.Server) + strings.ReplaceAll(name, "/", "_") + ".json"
}

// Begin makes the record of a release that is about to change droplets. former
// is the server's record so far, or nil. What is known of the droplets is kept;
// the way back is the last release that was verified.
func Begin(server string, former *Record, next Release, now time.Time) *Record {
	rec := &Record{Server: server, Release: next, Outcome: Pending, StartedAt: now}
	if former == nil {
		return rec
	}
	rec.Droplets = slices.Clone(former.Droplets)
	rec.Previous = former.Previous
	// A release that was verified, or that droplets went back to, is a way back.
	verified := former.Outcome == Verified || former.Outcome == RolledBack
	if verified && former.CustomImage.ID != 0 && former.CustomImage.ID != next.CustomImage.ID {
		rec.Previous = new(former.Release)
	}
	if rec.Previous != nil && rec.Previous.CustomImage.ID == next.CustomImage.ID {
		rec.Previous = nil // nothing is the way back from itself
	}
	return rec
}
