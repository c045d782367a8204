package bench

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/toplevel"
)

// madeSystem writes a system of n units to a store below a folder, with the shapes of
// nixpkgs: a link and a store path for each unit, a start script, a PATH of nine
// packages of 400. In release 2 every tenth package has another version, every
// fiftieth unit another line, and every path another hash.
func madeSystem(b *testing.B, n, release int) (root, top string) {
	b.Helper()
	root = b.TempDir()
	path := func(name string) string { return "/nix/store/" + nixHash(name, 0, release) + "-" + name }
	write := func(at, text string) {
		at = filepath.Join(root, at)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	pkg := func(i int) string {
		version := "1." + fmt.Sprint(i%30)
		if release == 2 && i%10 == 0 {
			version += ".1"
		}
		return path(madeName(i, version))
	}
	units := path("system-units")
	for i := range n {
		r := rand.New(rand.NewPCG(uint64(i), 9))
		name := fmt.Sprintf("made-%d.service", i)
		var bin, settings strings.Builder
		for range 9 {
			bin.WriteString(pkg(r.IntN(400)) + "/bin:")
		}
		for j := range r.IntN(30) {
			fmt.Fprintf(&settings, "Setting%d=%d\n", j, r.IntN(50))
		}
		if release == 2 && i%50 == 0 {
			settings.WriteString("LimitNOFILE=65536\n")
		}
		script := path("unit-script-" + name + "-start")
		write(script+"/bin/start", "#!"+pkg(1)+"/bin/bash\nset -e\nexec "+pkg(r.IntN(400))+"/bin/made\n")
		own := path("unit-" + name)
		write(own+"/"+name, "[Unit]\nDescription=Made\nAfter=network.target\n\n[Service]\nEnvironment=\"PATH="+strings.TrimSuffix(bin.String(), ":")+
			"\"\nEnvironment=\"LOCALE_ARCHIVE="+pkg(2)+"/lib/locale/locale-archive\"\n"+settings.String()+"ExecStart="+script+"/bin/start \n\n[Install]\nWantedBy=multi-user.target\n")
		link(b, root, units+"/"+name, own+"/"+name)
		link(b, root, units+"/multi-user.target.wants/"+name, "../"+name)
	}
	top = path("nixos-system-web-25.05")
	write(top+"/nixos-version", "25.05")
	link(b, root, path("etc")+"/etc/systemd/system", units)
	link(b, root, top+"/etc", path("etc")+"/etc")
	return root, top
}

func link(b *testing.B, root, at, target string) {
	b.Helper()
	at = filepath.Join(root, at)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.Symlink(target, at); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSystem takes the snapshot of a system of 500 units, keeps and reads it, and
// compares two of them.
func BenchmarkSystem(b *testing.B) {
	const units = 500
	var both [2]toplevel.Snapshot
	for i := range both {
		root, top := madeSystem(b, units, i+1)
		snapshot, err := toplevel.Take(root, top)
		if err != nil || len(snapshot.Units) != units {
			b.Fatalf("%d units, %v", len(snapshot.Units), err)
		}
		both[i] = snapshot
		if i > 0 {
			continue
		}
		b.Run("take", func(b *testing.B) {
			for b.Loop() {
				if _, err := toplevel.Take(root, top); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	var kept bytes.Buffer
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			kept.Reset()
			if err := toplevel.Write(&kept, both[0]); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(kept.Len())/1000, "kB")
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if _, err := toplevel.Read(bytes.NewReader(kept.Bytes())); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("compare", func(b *testing.B) {
		var diff toplevel.Diff
		for b.Loop() {
			diff = toplevel.Compare(both[0], both[1])
		}
		changed := 0
		for _, u := range diff.Units {
			if !u.OnlyVersions {
				changed++
			}
		}
		if changed != units/50 {
			b.Errorf("%d units have other lines", changed)
		}
		b.ReportMetric(float64(len(diff.Units)), "units")
	})
}
