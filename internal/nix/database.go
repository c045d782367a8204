package nix

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver, without C

	"github.com/versatus/snowdrop/internal/closure"
)

// databaseSchema is the version of the tables that closureQuery knows: that of Nix
// 1.x and 2.x so far (src/libstore/local-store.hh, nixSchemaVersion).
const databaseSchema = "10"

const closureQuery = `
WITH RECURSIVE closure(id) AS (
  SELECT id FROM ValidPaths WHERE path = ?
  UNION
  SELECT reference FROM closure JOIN Refs ON Refs.referrer = closure.id
)
SELECT path, narSize FROM closure JOIN ValidPaths USING (id) ORDER BY path`

// databaseClosure reads a closure from the database of the local store, which is many
// times faster than asking nix. Nothing is written there, and no file made. It errors
// wherever nix might know better: no such database, another schema, a lock, a path
// that is not there, a change during the read.
func (c *Client) databaseClosure(ctx context.Context, path string) ([]closure.Path, error) {
	state, err := c.localState()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(state, "db")
	schema, err := os.ReadFile(filepath.Join(dir, "schema"))
	if err != nil {
		return nil, fmt.Errorf("see which schema Nix's database has: %w", err)
	}
	if s := strings.TrimSpace(string(schema)); s != databaseSchema {
		return nil, fmt.Errorf("the database of Nix has schema %q, known is %s", s, databaseSchema)
	}
	file := filepath.Join(dir, "db.sqlite")
	before, err := lookAt(file)
	if err != nil {
		return nil, err
	}
	paths, err := queryClosure(ctx, before.address(file), path)
	if err != nil {
		return nil, fmt.Errorf("read the closure of %s from %s: %w", path, file, err)
	}
	if after, err := lookAt(file); err != nil || before.quiet && after != before {
		return nil, fmt.Errorf("%s changed while it was read", file)
	}
	return paths, nil
}

// localState is the directory that the local store keeps its database below. It
// errors where nix is told to ask another store.
func (c *Client) localState() (string, error) {
	if store := c.cfg.Options["store"]; store != "" {
		return "", fmt.Errorf("the store is %s", store)
	}
	switch remote := c.environment("NIX_REMOTE"); remote {
	case "", "auto", "daemon", "local":
	default:
		return "", fmt.Errorf("the store is %s", remote)
	}
	return cmp.Or(c.environment("NIX_STATE_DIR"), "/nix/var/nix"), nil
}

// environment is a variable as the program sees it.
func (c *Client) environment(name string) string {
	value := os.Getenv(name)
	for _, e := range c.cfg.Env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v
		}
	}
	return value
}

// databaseState is what shows whether a database is being written.
type databaseState struct {
	size     int64
	modified time.Time
	// quiet says that no log of changes lies beside it: nobody is writing.
	quiet bool
}

func lookAt(file string) (databaseState, error) {
	info, err := os.Stat(file)
	if err != nil {
		return databaseState{}, fmt.Errorf("look for Nix's database: %w", err)
	}
	s := databaseState{size: info.Size(), modified: info.ModTime(), quiet: true}
	for _, log := range []string{"-wal", "-journal"} {
		if _, err := os.Stat(file + log); !errors.Is(err, fs.ErrNotExist) {
			s.quiet = false
		}
	}
	return s, nil
}

// address names the database to SQLite. A quiet one is read as a plain file, without
// locks: SQLite would make files of its own beside it otherwise, or, as a user who
// may not, refuse (https://www.sqlite.org/wal.html#read_only_databases).
func (s databaseState) address(file string) string {
	query := "mode=ro"
	if s.quiet {
		query += "&immutable=1"
	}
	return (&url.URL{Scheme: "file", Path: file, RawQuery: query}).String()
}

func queryClosure(ctx context.Context, address, path string) ([]closure.Path, error) {
	db, err := sql.Open("sqlite", address)
	if err != nil {
		return nil, fmt.Errorf("open it: %w", err)
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, closureQuery, path)
	if err != nil {
		return nil, fmt.Errorf("ask it: %w", err)
	}
	defer rows.Close()
	var paths []closure.Path
	for rows.Next() {
		var p closure.Path
		if err := rows.Scan(&p.Path, &p.NarSize); err != nil {
			return nil, fmt.Errorf("read its answer: %w", err)
		}
		paths = append(paths, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read its answer: %w", err)
	}
	if len(paths) == 0 {
		return nil, errors.New("the path is not there")
	}
	return paths, nil
}
