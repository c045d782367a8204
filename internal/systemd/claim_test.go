package systemd_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/systemd"
)

// A claim is a text of the machine: nothing in it may break a report, and a file that
// is none of ours is no reason to say nothing of the rest.
func TestWhatASystemSaysOfItself(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file string
		want       *systemd.Claim
		notes      int
	}{
		{"no file", "", nil, 0},
		{"as the module writes it", ` {"flake":"github:acme/servers","revision":"0123abcd","server":"web"}`, &systemd.Claim{Server: "web", Flake: "github:acme/servers", Revision: "0123abcd"}, 0},
		{"over several lines, with more in it", " {\n \"server\": \"web\",\n \"since\": 1\n }", &systemd.Claim{Server: "web"}, 0},
		{"nothing known", " {}", nil, 0},
		{"an empty file", " ", nil, 1},
		{"not JSON", " web", nil, 1},
		{"another JSON", " [1]", nil, 1},
		{"not a text", ` {"server": 7}`, nil, 1},
		{"a terminal's escape", ` {"server": "a\u001b[31m\nb"}`, &systemd.Claim{Server: "a[31mb"}, 0},
		{"a long one", ` {"server": "` + strings.Repeat("x", 5000) + `"}`, &systemd.Claim{Server: strings.Repeat("x", 200) + "…"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			answer := "== snowdrop-look v1\n== boot-id\n b\n== uptime\n 1.0 1.0\n"
			if tt.file != "" {
				answer += "== release\n" + tt.file + "\n"
			}
			s, err := systemd.Parse([]byte(answer+"== state\n running\n== end\n"), systemd.Request{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, s.Claim); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if len(s.Notes) != tt.notes || s.Word != "running" {
				t.Errorf("state %+v", s)
			}
		})
	}
}
