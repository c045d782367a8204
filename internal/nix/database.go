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
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver, without C

	"github.com/versatus/snowdrop/internal/closure"
)

// databaseSchema is the version of the tables that the queries know: that of Nix
// 1.x and 2.x so far (src/libstore/local-store.hh, nixSchemaVersion).
const databaseSchema = "10"

const idQuery = `SELECT id FROM ValidPaths WHERE path = ?`

// Each takes a list of ids as JSON, and CROSS JOIN keeps SQLite from making a table of
// its own of it. The first answers with one text: a row for each of tens of thousands of
// references would cost more than finding them.
const (
	needsQuery = `SELECT group_concat(reference) FROM json_each(?) AS list CROSS JOIN Refs ON Refs.referrer = list.value`
	pathsQuery = `SELECT ValidPaths.path, narSize FROM json_each(?) AS list CROSS JOIN ValidPaths ON ValidPaths.id = list.value`
)

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
	schema, err := os.ReadFile(filepath.Join(dir, "schema")) //nolint:gosec // the store's own
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
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // one state for all queries
	if err != nil {
		return nil, fmt.Errorf("open it: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	ids, err := reach(ctx, tx, path)
	if err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, pathsQuery, jsonList(ids))
	if err != nil {
		return nil, fmt.Errorf("ask for paths: %w", err)
	}
	defer rows.Close()
	paths := make([]closure.Path, 0, len(ids))
	for rows.Next() {
		var p closure.Path
		if err := rows.Scan(&p.Path, &p.NarSize); err != nil {
			return nil, fmt.Errorf("read a path: %w", err)
		}
		paths = append(paths, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the paths: %w", err)
	}
	if len(paths) != len(ids) {
		return nil, fmt.Errorf("%d of %d paths are there", len(paths), len(ids))
	}
	slices.SortFunc(paths, func(a, b closure.Path) int { return strings.Compare(a.Path, b.Path) })
	return paths, nil
}

// reach finds the ids of path and of all that it needs, level by level: one recursive
// query takes twice as long.
func reach(ctx context.Context, tx *sql.Tx, path string) ([]string, error) {
	var id string
	if err := tx.QueryRowContext(ctx, idQuery, path).Scan(&id); err != nil {
		return nil, fmt.Errorf("find the path: %w", err)
	}
	ids, seen := []string{id}, map[string]bool{id: true}
	for level := ids; len(level) > 0; {
		var needs sql.NullString // NULL where nothing is needed
		if err := tx.QueryRowContext(ctx, needsQuery, jsonList(level)).Scan(&needs); err != nil {
			return nil, fmt.Errorf("ask for references: %w", err)
		}
		level = nil
		for need := range strings.SplitSeq(needs.String, ",") {
			if need != "" && !seen[need] {
				seen[need] = true
				level = append(level, need)
			}
		}
		ids = append(ids, level...)
	}
	return ids, nil
}

func jsonList(ids []string) string { return "[" + strings.Join(ids, ",") + "]" }
