package bench

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/closure"
)

// storedPath is one path of a made-up closure. needs are others of it, without itself.
type storedPath struct {
	base    string // what follows the store's directory
	size    int64
	needs   []string
	narHash string
}

// madeClosure makes a closure of about n paths with the shapes of a NixOS system:
// packages with their outputs, several versions of one, names with a language before
// them, units and configuration without a version. Two calls with the same arguments
// make the same; release 2 differs from release 1 in a share of the paths, a third of
// them in the version, and a few come and go. As in Nix, what needs a path that
// changed has changed too: only the first path, the system, needs those that changed
// alone.
func madeClosure(n, release int, share float64) []storedPath {
	bases := make([]string, n)
	for i := range n {
		if i == 0 || i%211 != release { // gone in one, come in the other
			bases[i] = madeBase(i, release, changes(i, share))
		}
	}
	all := make([]storedPath, 0, n)
	for i, base := range bases {
		if base == "" {
			continue
		}
		r := rand.New(rand.NewPCG(uint64(i), 7))
		p := storedPath{base: base, size: int64(r.ExpFloat64()*400_000) + 500, narHash: hexHash(base)}
		need := func(other int) {
			if other < n && bases[other] != "" && (changes(i, share) || !changes(other, share)) && !slices.Contains(p.needs, bases[other]) {
				p.needs = append(p.needs, bases[other])
			}
		}
		for child := 4*i + 1; child <= 4*i+4; child++ {
			need(child)
		}
		for range r.IntN(10) {
			need(i + 1 + r.IntN(n))
		}
		all = append(all, p)
	}
	for i := 1; i < n; i++ {
		if above := (i - 1) / 4; bases[i] != "" && (bases[above] == "" || changes(i, share) && !changes(above, share)) {
			all[0].needs = append(all[0].needs, bases[i])
		}
	}
	return all
}

// changes says whether path i is another one in release 2.
func changes(i int, share float64) bool {
	return i == 0 || i%211 == 1 || i%211 == 2 || rand.New(rand.NewPCG(uint64(i), 6)).Float64() < share
}

// madeBase is what path i is called, with its hash.
func madeBase(i, release int, changed bool) string {
	r := rand.New(rand.NewPCG(uint64(i), 5))
	version := fmt.Sprintf("%d.%d.%d", r.IntN(20), r.IntN(30), r.IntN(9))
	if !changed {
		release = 1
	}
	if release == 2 && i%3 == 0 {
		version += ".1"
	}
	name := madeName(i, version)
	return nixHash(name, i, release) + "-" + name
}

// madeName is what path i is called.
func madeName(i int, version string) string {
	words := strings.Fields("openssl glibc systemd util-linux coreutils nginx postgresql linux-firmware gnutls curl python3 perl " +
		"nix git sqlite zlib ncurses readline bash dbus polkit iproute2 iptables kmod lvm2 cryptsetup shadow sudo openssh rsync")
	word := words[i%len(words)]
	pkg := fmt.Sprintf("%s-%c%c%c", word, 'a'+i/26/26%26, 'a'+i/26%26, 'a'+i%26)
	switch i % 12 {
	case 0:
		if i == 0 {
			return "nixos-system-web-25.05." + version
		}
		return pkg + ".conf"
	case 1:
		return "unit-" + pkg + ".service"
	case 2:
		return "python3.12-" + pkg + "-" + version
	case 3:
		return pkg + "-" + version + "-lib"
	case 4:
		return pkg + "-" + version + "-man"
	case 5: // one name, many versions
		return word + "-" + version
	default:
		return pkg + "-" + version
	}
}

// nixHash is 32 characters as Nix writes them.
func nixHash(name string, i, build int) string {
	const alphabet = "0123456789abcdfghijklmnpqrsvwxyz"
	r := rand.New(rand.NewPCG(uint64(len(name)*1000+build), uint64(i)))
	var b [32]byte
	for k := range b {
		b[k] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b[:])
}

func hexHash(base string) string {
	r := rand.New(rand.NewPCG(uint64(base[0]), uint64(base[1])))
	var b [32]byte
	for k := range b {
		b[k] = byte(r.IntN(256))
	}
	return hex.EncodeToString(b[:])
}

// pathInfo writes a closure as nix path-info --json --recursive of 2.8 does, with
// all that it says about paths that come from a binary cache.
func pathInfo(tb testing.TB, paths []storedPath) []byte {
	tb.Helper()
	type info struct {
		Path             string   `json:"path"`
		NarHash          string   `json:"narHash"`
		NarSize          int64    `json:"narSize"`
		References       []string `json:"references"`
		Deriver          string   `json:"deriver"`
		RegistrationTime int64    `json:"registrationTime"`
		Signatures       []string `json:"signatures"`
	}
	all := make([]info, len(paths))
	for i, p := range paths {
		all[i] = info{
			Path: "/nix/store/" + p.base, NarHash: "sha256-" + p.narHash[:43] + "=", NarSize: p.size, Deriver: "/nix/store/" + p.base + ".drv",
			RegistrationTime: 1_750_000_000, Signatures: []string{"cache.nixos.org-1:" + p.narHash + p.narHash[:22] + "=="},
		}
		for _, other := range p.needs {
			all[i].References = append(all[i].References, "/nix/store/"+other)
		}
	}
	slices.SortFunc(all, func(a, b info) int { return strings.Compare(a.Path, b.Path) })
	text, err := json.Marshal(all)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// shares are how much differs between two closures: after an update of a package,
// and after one of something that all else is built with.
func shares() map[string]float64 { return map[string]float64{"update": 0.04, "rebuild": 1} }

func parse(tb testing.TB, text []byte) []closure.Path {
	tb.Helper()
	paths, err := closure.Parse(bytes.NewReader(text))
	if err != nil {
		tb.Fatal(err)
	}
	return paths
}

// BenchmarkClosures compares two closures, from the JSON of both to what is
// different.
func BenchmarkClosures(b *testing.B) {
	for _, n := range []int{5_000, 50_000} {
		for name, share := range shares() {
			before, after := pathInfo(b, madeClosure(n, 1, share)), pathInfo(b, madeClosure(n, 2, share))
			b.Run(fmt.Sprintf("%d/%s/from JSON", n, name), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(before) + len(after)))
				changes := 0
				for b.Loop() {
					changes = len(closure.Compare(parse(b, before), parse(b, after)).Changes)
				}
				b.ReportMetric(float64(changes), "changes")
				b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/op")
			})
			x, y := parse(b, before), parse(b, after)
			b.Run(fmt.Sprintf("%d/%s/parsed", n, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					closure.Compare(x, y)
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/op")
			})
		}
	}
}

// BenchmarkPathInfo reads the JSON of one closure of 5,000 paths, with our own
// scanner and with encoding/json.
func BenchmarkPathInfo(b *testing.B) {
	text := pathInfo(b, madeClosure(5_000, 1, 0))
	b.Run("scanner", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			parse(b, text)
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			var paths []closure.Path
			if err := json.Unmarshal(text, &paths); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestMadeClosuresAreAlikeAndWhole keeps the benchmarks comparable from one run to the
// next.
func TestMadeClosuresAreAlikeAndWhole(t *testing.T) {
	t.Parallel()
	first, again := pathInfo(t, madeClosure(2_000, 2, 0.04)), pathInfo(t, madeClosure(2_000, 2, 0.04))
	if !bytes.Equal(first, again) {
		t.Error("two calls make two closures")
	}
	d := closure.Compare(parse(t, pathInfo(t, madeClosure(2_000, 1, 0.04))), parse(t, first))
	for _, kind := range []closure.Kind{closure.Added, closure.Removed, closure.Upgraded, closure.Rebuilt} {
		if d.Count(kind) == 0 {
			t.Errorf("no package is %s", kind)
		}
	}
	seen := map[string]bool{}
	for _, p := range parse(t, first) {
		if seen[p.Path] {
			t.Errorf("%s is there twice", p.Path)
		}
		seen[p.Path] = true
	}
}
