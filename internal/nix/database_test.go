package nix

import (
	"bytes"
	"context"
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/closure"
)

// The paths of the store that newStore makes: top needs a and b, a needs itself and
// shared, b needs a and shared. Nothing needs other.
const (
	storeTop    = "/nix/store/0a45yf3rzzn9xq3l9d164mnb88bgpwm8-top"
	storeA      = "/nix/store/1j3617mr1yz823829rk9x2ybwzrmk3kk-a"
	storeB      = "/nix/store/3gv4c0hx9zgfwvljwd7shjr5vcpdwwqy-b"
	storeShared = "/nix/store/429q0i81a7xhwx5qyywszbb7i6z58kgn-shared"
	storeOther  = "/nix/store/5bs95g0dzljrns8yqwj8gz4lgllidhc7-other"
)

func topClosure() []closure.Path {
	return []closure.Path{{Path: storeTop, NarSize: 1}, {Path: storeA, NarSize: 2}, {Path: storeB, NarSize: 3}, {Path: storeShared, NarSize: 1 << 40}}
}

// fromNix is what the fake nix of these tests says; the database says otherwise.
func fromNix() []closure.Path { return []closure.Path{{Path: storeTop, NarSize: 7}} }

func playClosure() play {
	return play{When: []string{"path-info", "--json"}, Stdout: `[{"path":"` + storeTop + `","narSize":7}]`}
}

// newStore makes the state directory of a store with a database in Nix's own tables
// (src/libstore/schema.sql), and a connection that writes to it.
func newStore(t *testing.T, journal string) (state string, db *sql.DB) {
	t.Helper()
	state = t.TempDir()
	write(t, filepath.Join(state, "db"), "schema", "10")
	db, err := sql.Open("sqlite", filepath.Join(state, "db", "db.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	execute(t, db, "PRAGMA journal_mode = "+journal)
	execute(t, db, `CREATE TABLE ValidPaths (id integer primary key autoincrement not null, path text unique not null, hash text not null,
		registrationTime integer not null, deriver text, narSize integer, ultimate integer, sigs text, ca text)`)
	execute(t, db, `CREATE TABLE Refs (referrer integer not null, reference integer not null, primary key (referrer, reference))`)
	for i, p := range append(topClosure(), closure.Path{Path: storeOther, NarSize: 5}) {
		execute(t, db, `INSERT INTO ValidPaths VALUES (?, ?, 'sha256:0', 1, NULL, ?, 1, '', '')`, i+1, p.Path, p.NarSize)
	}
	execute(t, db, `INSERT INTO Refs VALUES (1, 2), (1, 3), (2, 2), (2, 4), (3, 2), (3, 4)`)
	return state, db
}

func execute(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// files are the names and bytes of all files in a directory.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		all[path], err = os.ReadFile(filepath.Join(dir, path))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAClosureIsReadFromTheDatabaseAndNothingIsWritten(t *testing.T) {
	t.Parallel()
	for _, journal := range []string{"WAL", "TRUNCATE"} {
		state, db := newStore(t, journal)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		// SQLite leaves an empty journal in this mode, as Nix's own SQLite does.
		_ = os.Remove(filepath.Join(state, "db", "db.sqlite-journal"))
		before := files(t, state)
		c := fake(t, Config{Env: []string{"NIX_STATE_DIR=" + state}}) // which plays nothing
		got, err := c.Closure(t.Context(), storeTop)
		if diff := cmp.Diff(topClosure(), got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", journal, err, diff)
		}
		for name, was := range files(t, state) {
			if is, ok := before[name]; !ok || !bytes.Equal(is, was) {
				t.Errorf("%s: %s was made or changed", journal, name)
			}
		}
	}
}

func TestWhatNixJustRegisteredIsSeen(t *testing.T) {
	t.Parallel()
	state, db := newStore(t, "WAL")
	// It lies in the log beside the database, as long as the writer is there.
	execute(t, db, `INSERT INTO Refs VALUES (1, 5)`)
	c := fake(t, Config{Env: []string{"NIX_STATE_DIR=" + state}})
	got, err := c.Closure(t.Context(), storeTop)
	if diff := cmp.Diff(append(topClosure(), closure.Path{Path: storeOther, NarSize: 5}), got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestNixIsAskedWhereTheDatabaseDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, state string, db *sql.DB, cfg *Config){
		"no store": func(t *testing.T, state string, _ *sql.DB, _ *Config) { remove(t, state, "") },
		"no database": func(t *testing.T, state string, _ *sql.DB, _ *Config) {
			remove(t, state, "db/db.sqlite")
		},
		"another schema": func(t *testing.T, state string, _ *sql.DB, _ *Config) {
			write(t, filepath.Join(state, "db"), "schema", "11\n")
		},
		"no database at all": func(t *testing.T, state string, _ *sql.DB, _ *Config) {
			write(t, filepath.Join(state, "db"), "db.sqlite", "what is this")
		},
		"other tables": func(t *testing.T, _ string, db *sql.DB, _ *Config) {
			execute(t, db, `ALTER TABLE Refs RENAME TO Arrows`)
		},
		"a path that is not there": func(t *testing.T, _ string, db *sql.DB, _ *Config) {
			execute(t, db, `DELETE FROM ValidPaths WHERE id = 1`)
		},
		"a size that is not known": func(t *testing.T, _ string, db *sql.DB, _ *Config) {
			execute(t, db, `UPDATE ValidPaths SET narSize = NULL WHERE id = 4`)
		},
		"a lock": func(t *testing.T, _ string, db *sql.DB, _ *Config) {
			execute(t, db, `BEGIN EXCLUSIVE`)
			execute(t, db, `UPDATE ValidPaths SET narSize = 9`)
		},
		"a daemon elsewhere": func(_ *testing.T, _ string, _ *sql.DB, cfg *Config) {
			cfg.Env = append(cfg.Env, "NIX_REMOTE=ssh://builder")
		},
		"another store": func(_ *testing.T, _ string, _ *sql.DB, cfg *Config) {
			cfg.Options = map[string]string{"store": "https://cache.example.com"}
		},
	} {
		state, db := newStore(t, "DELETE")
		cfg := Config{Env: []string{"NIX_STATE_DIR=" + state}}
		if got, err := fake(t, cfg).Closure(t.Context(), storeTop); err != nil || len(got) != 4 {
			t.Fatalf("%s: before it was spoilt: %v, %v", name, got, err)
		}
		spoil(t, state, db, &cfg)
		got, err := fake(t, cfg, playClosure()).Closure(t.Context(), storeTop)
		if diff := cmp.Diff(fromNix(), got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}

func TestADatabaseThatIsWrittenMeanwhileIsNotTrusted(t *testing.T) {
	t.Parallel()
	state, db := newStore(t, "DELETE")
	file := filepath.Join(state, "db", "db.sqlite")
	before, err := lookAt(file)
	if err != nil || !before.quiet {
		t.Fatalf("%+v, %v", before, err)
	}
	execute(t, db, `BEGIN EXCLUSIVE`)
	execute(t, db, `UPDATE ValidPaths SET narSize = 9`)
	if during, err := lookAt(file); err != nil || during.quiet {
		t.Errorf("a writer is not seen: %+v, %v", during, err)
	}
	execute(t, db, `INSERT INTO ValidPaths VALUES (9, ?, 'sha256:0', 1, NULL, 1, 1, '', '')`, string(make([]byte, 1<<16)))
	execute(t, db, `COMMIT`)
	if after, err := lookAt(file); err != nil || after == before {
		t.Errorf("that something was written is not seen: %+v, %v", after, err)
	}
}

func TestACancelledReadIsNoAnswer(t *testing.T) {
	t.Parallel()
	state, _ := newStore(t, "DELETE")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := fake(t, Config{Env: []string{"NIX_STATE_DIR=" + state}}).Closure(ctx, storeTop); err == nil {
		t.Errorf("%v", got)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}
