package fleet_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/fleet"
)

// withCycles loads a fleet file that has these cycles, in a folder of its own.
func withCycles(t *testing.T, flake, cycles string) *fleet.Fleet {
	t.Helper()
	path := filepath.Join(t.TempDir(), "snowdrop.yaml")
	text := "flake: " + flake + "\nspace: {bucket: acme, region: nyc3}\nservers:\n  web: {cycle: nightly}\ncycles:\n" + cycles
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := fleet.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAnUpdateIsOfferedForReviewUnlessItSaysOtherwise(t *testing.T) {
	t.Parallel()
	f := withCycles(t, ".", `
  nightly: {cron: "0 3 * * *", ref: main, update: {}}
  weekly: {cron: "0 4 * * 1", ref: main, update: {inputs: [nixpkgs], via: branch}}
`)
	want := map[string]fleet.Cycle{
		"nightly": {Cron: "0 3 * * *", Ref: "main", Update: &fleet.Update{Via: fleet.ViaPullRequest}},
		"weekly":  {Cron: "0 4 * * 1", Ref: "main", Update: &fleet.Update{Inputs: []string{"nixpkgs"}, Via: fleet.ViaBranch}},
	}
	if diff := cmp.Diff(want, f.Cycles); diff != "" {
		t.Error(diff)
	}
}

func TestTheRepositoryOfAFlakeIsFound(t *testing.T) {
	t.Parallel()
	for flake, want := range map[string]fleet.FlakeSource{
		".":                           {Path: "DIR"},
		"./nix":                       {Path: "DIR/nix"},
		"..?dir=nix":                  {Path: "DIR/..", Dir: "nix"},
		"/srv/fleet":                  {Path: "/srv/fleet"},
		"git+file:///srv/fleet?dir=a": {Path: "/srv/fleet", Dir: "a"},
		"github:acme/fleet":           {Address: "https://github.com/acme/fleet"},
		"github:acme/fleet?host=ghe.example.com&dir=nix": {Address: "https://ghe.example.com/acme/fleet", Dir: "nix"},
		"gitlab:acme%2Fops/fleet":                        {Address: "https://gitlab.com/acme/ops/fleet"},
		"sourcehut:~mona/fleet":                          {Address: "https://git.sr.ht/~mona/fleet"},
		"git+https://example.com/fleet.git":              {Address: "https://example.com/fleet.git"},
		"git+ssh://git@example.com/fleet":                {Address: "ssh://git@example.com/fleet"},
	} {
		f := withCycles(t, `"`+flake+`"`, `  nightly: {cron: "0 3 * * *"}`)
		if strings.HasPrefix(want.Path, "DIR") {
			want.Path = filepath.Join(filepath.Dir(f.Path), strings.TrimPrefix(want.Path, "DIR"))
		}
		got, err := f.FlakeSource()
		if err != nil {
			t.Errorf("%s: %v", flake, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", flake, diff)
		}
	}
	for flake, hint := range map[string]string{
		"github:acme/fleet/main":                      "github:OWNER/NAME alone",
		"git+https://example.com/fleet?ref=main":      "leave `ref=`",
		"nixpkgs":                                     "no git repository",
		"path:/srv/fleet":                             "no git repository",
		"https://example.com/fleet.tar.gz":            "no git repository",
		"/nix/store/0000-source":                      "no git repository",
		"github:acme/fleet?rev=" + testRevision("1"):  "names its own revision",
		"flake:nixpkgs":                               "no git repository",
		"tarball+https://example.com/fleet.tar.gz":    "no git repository",
		"git+file:///srv/fleet?rev=" + "abc" + "&x=y": "names its own revision",
	} {
		f := withCycles(t, `"`+flake+`"`, `  nightly: {cron: "0 3 * * *"}`)
		if got, err := f.FlakeSource(); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%s: %+v, %v", flake, got, err)
		}
	}
}

func testRevision(digit string) string { return strings.Repeat(digit, 40) }

func TestGitIsToldWhichRefLeadsToACommit(t *testing.T) {
	t.Parallel()
	revision := testRevision("a")
	for flake, want := range map[string]string{
		".":                             ".?rev=" + revision,
		"github:acme/fleet":             "github:acme/fleet?rev=" + revision,
		"git+file:///srv/fleet":         "git+file:///srv/fleet?rev=" + revision,
		"git+https://example.com/f":     "git+https://example.com/f?ref=refs/tags/v1&rev=" + revision,
		"git+ssh://example.com/f?dir=x": "git+ssh://example.com/f?dir=x&ref=refs/tags/v1&rev=" + revision,
	} {
		f := withCycles(t, `"`+flake+`"`, `  nightly: {cron: "0 3 * * *"}`)
		at, err := f.AtRef(revision, "refs/tags/v1")
		if err != nil {
			t.Fatal(err)
		}
		if at.Flake != want || !strings.HasPrefix(at.Servers["web"].Image, want+"#") {
			t.Errorf("%s: %s, %s", flake, at.Flake, at.Servers["web"].Image)
		}
	}
}

func TestAServerOfAnotherFlakeHasNoRefOfThisOne(t *testing.T) {
	t.Parallel()
	f := withCycles(t, ".", `  nightly: {cron: "0 3 * * *", ref: main}`)
	web := f.Servers["web"]
	for image, own := range map[string]bool{".#web": true, "#web": true, "github:acme/other#web": false, "./other#web": false} {
		web.Image = image
		if err := f.OwnFlake(web); (err == nil) != own {
			t.Errorf("%s: %v", image, err)
		}
	}
}

// TestTheNextRunIsInUTCWhateverTheClockSays is of the days on which clocks are changed:
// in UTC there is no hour that is left out and none that comes twice.
func TestTheNextRunIsInUTCWhateverTheClockSays(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("there is no time zone database here")
	}
	for _, test := range []struct{ cron, after, want string }{
		{"0 3 * * *", "2026-11-24T02:59:59Z", "2026-11-24T03:00:00Z"},
		{"0 3 * * *", "2026-11-24T03:00:00Z", "2026-11-25T03:00:00Z"},
		{"0 3 1,15 * *", "2026-02-15T03:00:00Z", "2026-03-01T03:00:00Z"},
		{"30 1 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T01:30:00Z"},
		// In Berlin 02:30 is left out on that day, in UTC 01:30 is there.
		{"30 1 * * *", "2026-03-29T00:59:00Z", "2026-03-29T01:30:00Z"},
		{"30 2 * * *", "2026-03-28T03:00:00Z", "2026-03-29T02:30:00Z"},
		// There 02:30 comes twice; in UTC 00:30 comes once.
		{"30 0 * * *", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"},
		{"30 0 * * *", "2026-10-25T00:30:00Z", "2026-10-26T00:30:00Z"},
	} {
		after, err := time.Parse(time.RFC3339, test.after)
		if err != nil {
			t.Fatal(err)
		}
		for _, zone := range []*time.Location{time.UTC, berlin} {
			next, err := fleet.Cycle{Cron: test.cron}.Next(after.In(zone))
			if err != nil {
				t.Fatal(err)
			}
			if got := next.UTC().Format(time.RFC3339); got != test.want {
				t.Errorf("%q after %s in %s: %s, want %s", test.cron, test.after, zone, got, test.want)
			}
		}
	}
}

// TestTheNextRunInATimeZoneOfItsOwn is of a cron with a zone before it.
func TestTheNextRunInATimeZoneOfItsOwn(t *testing.T) {
	t.Parallel()
	const cron = "CRON_TZ=Europe/Berlin 30 2 * * *"
	at := time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)
	var got []string
	for range 3 {
		next, err := fleet.Cycle{Cron: cron}.Next(at)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, next.UTC().Format(time.RFC3339))
		at = next
	}
	// On the 29th there is no 02:30: nothing runs, and nothing is made up for.
	want := []string{"2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z", "2026-03-31T00:30:00Z"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
