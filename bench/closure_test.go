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

// storedPath is one path of a made-up closure. needs are the indexes of others.
type storedPath struct {
	base    string // what follows the store's directory
	size    int64
	needs   []int
	narHash string
}

// madeClosure makes a closure of n paths with the shapes of a NixOS system: packages
// with their outputs, several versions of one, names with a language before them, units
// and configuration without a version. Two calls with the same arguments make the
// same; release 2 differs from release 1 in a share of the paths, a third of them in
// the version, and a few come and go. The first path needs all others.
func madeClosure(n, release int, share float64) []storedPath {
	all := make([]storedPath, 0, n)
	for i := range n {
		if i > 0 && i%211 == release { // gone in one, come in the other
			continue
		}
		r := rand.New(rand.NewPCG(uint64(i), 7))
		version := fmt.Sprintf("%d.%d.%d", r.IntN(20), r.IntN(30), r.IntN(9))
		build := 1
		if changed := r.Float64() < share || i == 0; changed && release == 2 {
			build = 2
			if r.IntN(3) == 0 {
				version += ".1"
			}
		}
		name := madeName(i, version)
		all = append(all, storedPath{
			base:    nixHash(name, i, build) + "-" + name,
			size:    int64(r.ExpFloat64()*400_000) + 500,
			narHash: hexHash(name, build),
		})
	}
	for i := range all {
		r := rand.New(rand.NewPCG(uint64(i), 8))
		for child := 4*i + 1; child <= 4*i+4 && child < len(all); child++ {
			all[i].needs = append(all[i].needs, child)
		}
		for range r.IntN(10) {
			if other := i + 1 + r.IntN(len(all)); other < len(all) {
				all[i].needs = append(all[i].needs, other)
			}
		}
	}
	return all
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

func hexHash(name string, build int) string {
	r := rand.New(rand.NewPCG(uint64(build), uint64(len(name))))
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
			all[i].References = append(all[i].References, "/nix/store/"+paths[other].base)
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
