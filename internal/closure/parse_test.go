package closure

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

const (
	pathA = "/nix/store/0a45yf3rzzn9xq3l9d164mnb88bgpwm8-a-1.0"
	pathB = "/nix/store/1j3617mr1yz823829rk9x2ybwzrmk3kk-b-2.0"
)

func TestBothShapesOfPathInfoAreRead(t *testing.T) {
	t.Parallel()
	want := []Path{{pathA, 120}, {pathB, 344}}
	for name, text := range map[string]string{
		"an array, as before 2.19": `[{"path":"` + pathB + `","narHash":"sha256-x","narSize":344,"references":["` + pathA + `"],"registrationTime":1},` +
			`{"narSize":120,"path":"` + pathA + `","ultimate":true,"signatures":["k:\"\\"]}]`,
		"an object, since 2.19": "{\n" + `  "` + pathB + `": {"narSize": 344, "ca": null, "deriver": {"a": [1, -2.5e3, {}, []]}},` + "\n" +
			`  "` + pathA + `" : { "narSize" : 120 }` + "\n}\n",
		"with a version, since 2.33": `{"storeDir": "/nix/store", "` + pathB + `": {"narSize": 344, "version": 1}, "version": 1, "` + pathA + `": {"narSize": 120}}`,
		"escapes in a path":          `[{"path":"` + strings.Replace(pathA, "/", `\/`, 2) + `","narSize":120},{"path":"` + strings.Replace(pathB, "b", `\u0062`, 1) + `","narSize":344}]`,
	} {
		for how, r := range map[string]io.Reader{"at once": strings.NewReader(text), "by bytes": iotest.OneByteReader(strings.NewReader(text))} {
			got, err := Parse(r)
			if err != nil {
				t.Errorf("%s, %s: %v", name, how, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s: %s", name, how, diff)
			}
		}
	}
}

func TestAnEmptyClosureIsNoFault(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"[]", "{}", " [ ]\n", "{ }"} {
		if got, err := Parse(strings.NewReader(text)); err != nil || len(got) != 0 {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestAPathThatIsNotValidIsNamed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"` + pathA + `": null}`,
		`{"` + pathA + `": {"ca": null}}`,
		`[{"path":"` + pathA + `","valid":false}]`,
	} {
		_, err := Parse(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), pathA+" is not in the Nix store") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestWhatIsNoClosureIsRefused(t *testing.T) {
	t.Parallel()
	one := `{"path":"` + pathA + `","narSize":120}`
	for _, text := range []string{
		``, ` `, `null`, `"x"`, `7`, `[`, `[{]`, `[}`, `[null]`, `[[]]`, `["` + pathA + `"]`, `[{}]`, `[{"narSize":1}]`,
		`[` + one, `[` + one + `,`, `[` + one + `,]`, `[,` + one + `]`, `[` + one + one + `]`, `[` + one + `]x`, `[` + one + `][]`, `[` + one + `}`,
		`[{"path":"` + pathA + `","narSize":"120"}]`, `[{"path":"` + pathA + `","narSize":-1}]`, `[{"path":"` + pathA + `","narSize":1.5}]`,
		`[{"path":"` + pathA + `","narSize":99999999999999999999}]`, `[{"path":"` + pathA + `","narSize":01}]`,
		`[{"path":7,"narSize":120}]`, `[{"path":"\x","narSize":120}]`, `[{"path":"` + pathA,
		`[{"path" "` + pathA + `"}]`, `[{path:"` + pathA + `"}]`, `[{"path":"` + pathA + `","x":tru,"narSize":1}]`, `[{"path":"` + pathA + `","x":,"narSize":1}]`,
		`{"` + pathA + `": []}`, `{"` + pathA + `": nul}`, `{"` + pathA + `": 1}`, `{"` + pathA + `": {"narSize": 1}`, `{"` + pathA + `"}`,
		`[{"x":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `,"path":"` + pathA + `","narSize":1}]`,
	} {
		if got, err := Parse(strings.NewReader(text)); err == nil {
			t.Errorf("%s passes for %v", text, got)
		}
	}
}

func TestAReadThatBreaksOffIsNoShorterClosure(t *testing.T) {
	t.Parallel()
	text := `[{"path":"` + pathA + `","narSize":120},{"path":"` + pathB + `","narSize":344}]`
	broken := errors.New("the connection broke")
	for i := range text {
		if got, err := Parse(io.MultiReader(strings.NewReader(text[:i]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v, %v", i, got, err)
		}
		if got, err := Parse(strings.NewReader(text[:i])); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut off after %d bytes: %v, %v", i, got, err)
		}
	}
}

func TestStringsLongerThanTheBufferAreReadWhole(t *testing.T) {
	t.Parallel()
	// A backslash at each place around the buffer's end.
	for n := scanBuffer - 40; n < scanBuffer+8; n++ {
		long, err := json.Marshal(strings.Repeat("x", n) + `\"`)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(strings.NewReader(fmt.Sprintf(`[{"x":%s,"path":"%s","narSize":120}]`, long, pathA)))
		if diff := cmp.Diff([]Path{{pathA, 120}}, got); diff != "" || err != nil {
			t.Fatalf("%d: %v %s", n, err, diff)
		}
	}
}

func TestASnapshotIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	for _, paths := range [][]Path{nil, {{pathA, 0}}, {{pathA, 120}, {pathB, 1 << 40}}} {
		var b bytes.Buffer
		if err := Write(&b, paths); err != nil {
			t.Fatal(err)
		}
		whole := b.Bytes()
		got, err := Read(bytes.NewReader(whole))
		if diff := cmp.Diff(paths, got); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
		for i := range whole {
			if got, err := Read(bytes.NewReader(whole[:i])); err == nil {
				t.Errorf("the first %d of %d bytes pass for %v", i, len(whole), got)
			}
		}
	}
}

func TestASnapshotThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	full := errors.New("the disk is full")
	r, w := io.Pipe()
	_ = r.CloseWithError(full)
	if err := Write(w, []Path{{pathA, 120}}); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
}

// FuzzParse compares with encoding/json, which is slow and right.
func FuzzParse(f *testing.F) {
	f.Add(`[{"path":"` + pathA + `","narSize":120,"references":["x"]}]`)
	f.Add(`{"` + pathA + `": {"narSize": 120, "x": [1, {"y": "\\"}]}, "` + pathB + `": null}`)
	f.Add(`[{"path":"a","path":"b","narSize":1}]`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		var array []struct {
			Path    string `json:"path"`
			NarSize *int64 `json:"narSize"`
		}
		var object map[string]*struct {
			NarSize *int64 `json:"narSize"`
		}
		if json.Unmarshal([]byte(text), &array) != nil && json.Unmarshal([]byte(text), &object) != nil {
			// Ours looks neither into strings that it passes over nor at the case of names.
			return
		}
		want := map[string]bool{}
		for _, p := range array {
			want[p.Path] = true
		}
		for p := range object {
			want[p] = true
		}
		for _, p := range got {
			if !want[p.Path] {
				t.Errorf("%q is read out of %q", p.Path, text)
			}
		}
	})
}
