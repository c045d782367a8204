package closure

import (
	"fmt"
	"hash/fnv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// store makes a path of a name. Names that differ after a "#" are builds of the same
// name: "zlib-1.3#2".
func store(name string) string {
	h := fnv.New128a()
	_, _ = h.Write([]byte(name))
	for i := range name {
		if name[i] == '#' {
			name = name[:i]
			break
		}
	}
	return fmt.Sprintf("/nix/store/%032x-%s", h.Sum(nil), name)
}

// of makes a closure of names, 100 bytes each.
func of(names ...string) []Path {
	var paths []Path
	for _, n := range names {
		paths = append(paths, Path{Path: store(n), NarSize: 100})
	}
	return paths
}

func TestChangesAreWhatPeopleCallThem(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after []Path
		want          []Change
	}{
		"nothing":           {of("a-1", "b"), of("b", "a-1"), nil},
		"two empty":         {nil, nil, nil},
		"added":             {nil, of("a-1"), []Change{{"a", "", Added, nil, []string{"1"}, 0, 100}}},
		"added, no version": {nil, of("etc"), []Change{{"etc", "", Added, nil, nil, 0, 100}}},
		"removed":           {of("a-1", "a-2"), nil, []Change{{"a", "", Removed, []string{"1", "2"}, nil, 200, 0}}},
		"upgraded":          {of("a-1.9"), of("a-1.10"), []Change{{"a", "", Upgraded, []string{"1.9"}, []string{"1.10"}, 100, 100}}},
		"downgraded":        {of("a-1.10"), of("a-1.9"), []Change{{"a", "", Downgraded, []string{"1.10"}, []string{"1.9"}, 100, 100}}},
		"rebuilt":           {of("a-1#1"), of("a-1#2"), []Change{{"a", "", Rebuilt, []string{"1"}, []string{"1"}, 100, 100}}},
		"rebuilt, no version": {
			of("etc#1"), of("etc#2"),
			[]Change{{"etc", "", Rebuilt, nil, nil, 100, 100}},
		},
		"a version gained": {of("etc"), of("etc-1"), []Change{{"etc", "", Upgraded, nil, []string{"1"}, 100, 100}}},
		"a version lost":   {of("etc-1"), of("etc"), []Change{{"etc", "", Downgraded, []string{"1"}, nil, 100, 100}}},
		"outputs are apart": {
			of("a-1", "a-1-lib", "a-1-man"), of("a-2", "a-2-lib", "a-1-man"),
			[]Change{
				{"a", "", Upgraded, []string{"1"}, []string{"2"}, 100, 100},
				{"a", "lib", Upgraded, []string{"1"}, []string{"2"}, 100, 100},
			},
		},
		"one of two versions upgraded": {
			of("py-3.11", "py-3.12.1"), of("py-3.11", "py-3.12.2"),
			[]Change{{"py", "", Upgraded, []string{"3.12.1"}, []string{"3.12.2"}, 200, 200}},
		},
		"a further version": {of("py-3.12"), of("py-3.12", "py-3.11"), []Change{{"py", "", Added, nil, []string{"3.11"}, 100, 200}}},
		"one version less":  {of("py-3.12", "py-3.11"), of("py-3.12"), []Change{{"py", "", Removed, []string{"3.11"}, nil, 200, 100}}},
		"two versions become one": {
			of("py-3.11", "py-3.9"), of("py-3.12"),
			[]Change{{"py", "", Upgraded, []string{"3.9", "3.11"}, []string{"3.12"}, 200, 100}},
		},
		"one of two versions rebuilt": {
			of("py-3.11#1", "py-3.12"), of("py-3.11#2", "py-3.12"),
			[]Change{{"py", "", Rebuilt, []string{"3.11"}, []string{"3.11"}, 200, 200}},
		},
		"one upgraded, one rebuilt": {
			of("py-3.11#1", "py-3.12"), of("py-3.11#2", "py-3.13"),
			[]Change{{"py", "", Upgraded, []string{"3.12"}, []string{"3.13"}, 200, 200}},
		},
		"one build more of the same": {
			of("source#1"), of("source#1", "source#2"),
			[]Change{{"source", "", Rebuilt, nil, nil, 100, 200}},
		},
		"the same version, written differently": {of("a-1.0"), of("a-1-0"), []Change{{"a", "", Rebuilt, []string{"1.0"}, []string{"1-0"}, 100, 100}}},
		"sorted by name and output": {
			nil, of("c-1", "b-1-man", "b-1", "a-1"),
			[]Change{
				{"a", "", Added, nil, []string{"1"}, 0, 100},
				{"b", "", Added, nil, []string{"1"}, 0, 100},
				{"b", "man", Added, nil, []string{"1"}, 0, 100},
				{"c", "", Added, nil, []string{"1"}, 0, 100},
			},
		},
		"a path that is listed twice": {of("a-1", "a-1"), of("a-1"), nil},
	} {
		got := Compare(c.before, c.after)
		if diff := cmp.Diff(c.want, got.Changes, equateEmpty()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if got.Estimate {
			t.Errorf("%s: what is there passes for an estimate", name)
		}
	}
}

// equateEmpty takes no changes for none.
func equateEmpty() cmp.Option {
	return cmp.FilterValues(func(a, b []Change) bool { return len(a)+len(b) == 0 }, cmp.Ignore())
}

func TestSizesAreThoseOfTheWholeClosures(t *testing.T) {
	t.Parallel()
	got := Compare(
		[]Path{{store("kept-1"), 1000}, {store("a-1"), 10}, {store("b-1"), 500}},
		[]Path{{store("kept-1"), 1000}, {store("a-2"), 25}, {store("c-1"), 40}, {store("d-1"), 40}})
	if got.SizeBefore != 1510 || got.SizeAfter != 1105 {
		t.Errorf("%d → %d", got.SizeBefore, got.SizeAfter)
	}
	var names []string
	for _, c := range got.Growths(2) {
		names = append(names, c.Name)
	}
	if diff := cmp.Diff([]string{"c", "d"}, names); diff != "" {
		t.Error("the two largest growths:", diff)
	}
	if all := got.Growths(9); len(all) != 3 || all[2].Name != "a" {
		t.Errorf("what shrinks has grown: %+v", all)
	}
	if got.Count(Added) != 2 || got.Count(Removed) != 1 || got.Count(Upgraded) != 1 || got.Count(Rebuilt) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestWhatIsComparedStaysAsItWas(t *testing.T) {
	t.Parallel()
	before, after := of("b-1", "a-1", "c-1"), of("c-2", "a-1", "a-1")
	Compare(before, after)
	if diff := cmp.Diff(of("b-1", "a-1", "c-1"), before); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(of("c-2", "a-1", "a-1"), after); diff != "" {
		t.Error(diff)
	}
}

// derivation has one output.
func derivation(name, salt string) Derivation {
	return Derivation{Path: store(name + ".drv#" + salt), Outputs: map[string]string{"out": store(name + "#" + salt)}}
}

func TestDerivationsAreComparedByWhatTheyBuild(t *testing.T) {
	t.Parallel()
	download := derivation("nginx-1.28.0.tar.gz", "")
	download.Fixed = true
	other := derivation("nginx-1.29.0", "")
	other.Fixed = true // a download is one whatever its name
	mirror := derivation("tool-1", "same")
	mirror.Path = store("tool-1.drv#from a new mirror")
	unknown := func(salt string) Derivation {
		return Derivation{Path: store("ca-1.drv#" + salt), Outputs: map[string]string{"out": ""}}
	}
	before := []Derivation{
		{Path: store("openssl-3.4.0.drv"), Outputs: map[string]string{"out": store("openssl-3.4.0"), "dev": store("openssl-3.4.0-dev")}},
		derivation("tool-1", "same"), derivation("etc", "1"), unknown("1"), derivation("fix.patch", "1"), derivation("source", "1"), derivation("v2-source", "1"),
	}
	after := []Derivation{
		download, other, mirror, derivation("etc", "2"), unknown("2"),
		{Path: store("openssl-3.4.1.drv"), Outputs: map[string]string{"out": store("openssl-3.4.1"), "dev": store("openssl-3.4.1-dev")}},
		derivation("site-2.0.tar.zst", ""), derivation("fix.diff.gz", ""), derivation("source", "2"), derivation("v2-source", "2"),
	}
	want := Diff{Estimate: true, Changes: []Change{
		{Name: "ca", Kind: Rebuilt, Before: []string{"1"}, After: []string{"1"}},
		{Name: "etc", Kind: Rebuilt},
		{Name: "openssl", Kind: Upgraded, Before: []string{"3.4.0"}, After: []string{"3.4.1"}},
		{Name: "openssl", Output: "dev", Kind: Upgraded, Before: []string{"3.4.0"}, After: []string{"3.4.1"}},
	}}
	if diff := cmp.Diff(want, CompareDerivations(before, after)); diff != "" {
		t.Error(diff)
	}
}
