package toplevel

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestASnapshotIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	want := release1().build(t, "1")
	want.StateVersion = "25.05"
	var b, again bytes.Buffer
	for _, w := range []*bytes.Buffer{&b, &again} {
		if err := Write(w, want); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Error("written twice, it is not the same")
	}
	got, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// No users is something else than users that are not known.
func TestAnEmptyListStaysKnown(t *testing.T) {
	t.Parallel()
	n := release1()
	n.users = `{"users":[]}`
	var b bytes.Buffer
	if err := Write(&b, n.build(t, "1")); err != nil {
		t.Fatal(err)
	}
	empty, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	if d := Compare(empty, release1().build(t, "1")); len(d.UsersAdded) != 3 {
		t.Errorf("the users that come are %q", d.UsersAdded)
	}
}

func TestWhatIsNoSnapshot(t *testing.T) {
	t.Parallel()
	whole := zipped(t, `{"format":1,"toplevel":"/nix/store/x"}`)
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-6] ^= 1 // in the checksum
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":         {nil, "EOF"},
		"not zipped":      {[]byte(`{"format":1}`), "gzip"},
		"cut off":         {whole[:len(whole)-4], "EOF"},
		"damaged":         {damaged, "checksum"},
		"no JSON":         {zipped(t, "x"), "invalid character"},
		"another format":  {zipped(t, `{"format":2}`), "format 2, and this version of snowdrop reads format 1"},
		"without format":  {zipped(t, `{}`), "format 0"},
		"a bomb":          {zipped(t, `{"format":1,"toplevel":"`+strings.Repeat("x", maxSnapshot)+`"}`), "more than 16 MiB"},
		"a bomb of space": {zipped(t, `{"format":1}`+strings.Repeat(" ", maxSnapshot)), "more than 16 MiB"},
	} {
		if _, err := Read(bytes.NewReader(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, and not %q", name, err, c.want)
		}
	}
}

func TestASnapshotThatCouldNotBeReadIsNotWritten(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	err := Write(&b, Snapshot{Units: map[string]Unit{"a.service": {Text: strings.Repeat("x", maxSnapshot)}}})
	if err == nil || b.Len() > 0 {
		t.Errorf("%v, and %d bytes", err, b.Len())
	}
}

func TestAChangedStateVersion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ before, after, wantBefore, wantAfter string }{
		{"24.11", "25.05", "24.11", "25.05"},
		{"24.11", "24.11", "", ""},
		{"", "25.05", "", ""}, // A snapshot from before it was known.
	} {
		d := Compare(Snapshot{StateVersion: c.before}, Snapshot{StateVersion: c.after})
		if d.StateVersionBefore != c.wantBefore || d.StateVersionAfter != c.wantAfter {
			t.Errorf("%q → %q is %q → %q", c.before, c.after, d.StateVersionBefore, d.StateVersionAfter)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, text := range []string{`{"format":1}`, `{"format":1,"units":{"a.service":{"text":"x"}}}`, `{"format":1,"users":null,"ports":["tcp 1"]}`} {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(text))
		_ = z.Close()
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		if d := Compare(s, s); !d.Empty() {
			t.Errorf("a snapshot differs from itself: %+v", d)
		}
		var b bytes.Buffer
		if err := Write(&b, s); err != nil {
			t.Error(err)
		}
	})
}
