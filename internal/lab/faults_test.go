package lab_test

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/digitalocean/godo"
	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/steps/build"
)

func TestFaultsAreWrittenAndRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want lab.Fault
	}{
		{"boot-never", lab.Fault{Kind: "boot-never"}},
		{"boot-never=web-1", lab.Fault{Kind: "boot-never", Target: "web-1"}},
		{"api-error=POST /v2/images,count=2,status=503", lab.Fault{Kind: "api-error", Target: "POST /v2/images", Count: 2, Status: 503}},
		{"api-slow,skip=1,delay=2s", lab.Fault{Kind: "api-slow", Skip: 1, Delay: 2 * time.Second}},
		{"import-failed=*,message=no, not this", lab.Fault{Kind: "import-failed", Target: "*", Message: "no, not this"}},
	} {
		got, err := lab.ParseFault(tt.text)
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", tt.text, err, diff)
		}
		if got.String() != tt.text {
			t.Errorf("written as %q; want %q", got.String(), tt.text)
		}
	}
	for _, text := range []string{"bot-never", "boot-never,count=x", "boot-never,often"} {
		if f, err := lab.ParseFault(text); err == nil {
			t.Errorf("%s was read as %+v", text, f)
		}
	}
}

func TestThePackageDocumentationNamesEveryFault(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range lab.Faults() {
		if !regexp.MustCompile(`(?m)^//\t` + string(k.Kind) + ` `).Match(doc) {
			t.Errorf("%s is not in the package documentation", k.Kind)
		}
	}
}

func TestFaultsOfTheAPI(t *testing.T) {
	t.Parallel()
	l := start(t, lab.Config{Droplets: []lab.DropletSpec{{Name: "web-1"}, {Name: "six", IPv6: true}, {Name: "far", Region: "ams3"}, {Name: "small", DiskGB: 1}}})
	c := client(t, l, l.Token())
	web, six := l.State().Droplet("web-1"), l.State().Droplet("six")
	far, small := l.State().Droplet("far"), l.State().Droplet("small")
	image := importImage(t, l, "i", upload(t, l, "i.raw.gz", compressed(t, webSpec())))
	rebuildOf := func(id, image int) error {
		_, _, err := c.DropletActions.RebuildByImageID(t.Context(), id, image)
		return err
	}
	createTag := func() error {
		_, _, err := c.Tags.Create(t.Context(), &godo.TagCreateRequest{Name: "made"})
		return err
	}
	large := importImage(t, l, "large", upload(t, l, "l.qcow2", qcow(3)))
	for _, tt := range []struct {
		name, fault string
		do          func() error
		says        string
	}{
		{"before it is done", "api-error=POST /v2/tags,status=503", createTag, "503"},
		{"after it is done", "api-lost=POST /v2/tags", createTag, "502"},
		{"without an answer", "api-drop=POST /v2/tags", createTag, "EOF"},
		{"limit", "api-rate-limit=POST /v2/tags", createTag, "429"},
		{"busy", "droplet-busy=web-1", func() error { return rebuildOf(web.ID, image.ID) }, "Droplet already has a pending event"},
		{"IPv6", "", func() error { return rebuildOf(six.ID, image.ID) }, "not compatible with ipv6"},
		{"region", "", func() error { return rebuildOf(far.ID, image.ID) }, "not available in the Droplet's region"},
		{"disk", "", func() error { return rebuildOf(small.ID, large.ID) }, "needs a disk of 3 GB"},
		{"by tag", "", func() error {
			_, _, err := c.DropletActions.PowerOffByTag(t.Context(), "nobody")
			if err != nil {
				return err
			}
			req, err := c.NewRequest(t.Context(), http.MethodPost, "/v2/droplets/actions?tag_name=web", map[string]any{"type": "rebuild", "image": image.ID})
			if err != nil {
				return err
			}
			_, err = c.Do(t.Context(), req, nil)
			return err
		}, "not available by tag"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.fault != "" {
				f, err := lab.ParseFault(tt.fault)
				if err != nil {
					t.Fatal(err)
				}
				if err := l.Fault(f); err != nil {
					t.Fatal(err)
				}
			}
			if err := tt.do(); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("said %v; want %s", err, tt.says)
			}
		})
	}
	if _, _, err := c.Tags.Get(t.Context(), "made"); err != nil {
		t.Errorf("the tag whose answer was lost was not made: %v", err)
	}
	if err := l.Fault(lab.Fault{Kind: "action-errored", Target: "web-1"}); err != nil {
		t.Fatal(err)
	}
	if a := rebuild(t, l, web.ID, image.ID); a.Status != "errored" || l.State().Droplet("web-1").Image.ID == image.ID {
		t.Errorf("the action ended as %s", a.Status)
	}
	if err := rebuildOf(web.ID, image.ID); err != nil {
		t.Fatal(err)
	}
	if err := rebuildOf(web.ID, image.ID); err == nil || !strings.Contains(err.Error(), "pending event") {
		t.Errorf("a second action on a busy droplet said %v", err)
	}
}

// qcow is the head of a qcow2 image of so many GiB.
func qcow(gib uint64) []byte {
	data := make([]byte, 4096)
	copy(data, "QFI\xfb")
	binary.BigEndian.PutUint64(data[24:], gib<<30)
	return data
}

func TestLimitsAreSaidAndKept(t *testing.T) {
	t.Parallel()
	l := start(t, lab.Config{RequestsPerHour: 4, RequestsPerMinute: 2})
	c := client(t, l, l.Token())
	_, r, err := c.Account.Get(t.Context())
	if err != nil || r.Limit != 4 || r.Remaining != 3 || r.Reset.IsZero() {
		t.Fatalf("rate is %+v, %v", r.Rate, err)
	}
	_, _, _ = c.Account.Get(t.Context())
	_, r, err = c.Account.Get(t.Context())
	if err == nil || r.StatusCode != 429 || r.Header.Get("retry-after") == "" {
		t.Errorf("the third request of a minute answered %v", err)
	}
}

func TestTheLabIsSteeredOverHTTP(t *testing.T) {
	t.Parallel()
	l := start(t, lab.Config{Droplets: []lab.DropletSpec{{Name: "web-1"}}})
	post := func(body string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.APIURL()+"/lab/faults", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	if got := []int{post("boot-never=web-1"), post(`{"kind":"api-slow","delay":1}`), post("nonsense")}; !cmp.Equal(got, []int{201, 201, 400}) {
		t.Errorf("answered %v", got)
	}
	if _, body := ask(t, "GET", l.APIURL()+"/lab/faults"); !strings.Contains(body, "boot-never") || !strings.Contains(body, "api-slow") {
		t.Errorf("armed are %s", body)
	}
	if status, _ := ask(t, "DELETE", l.APIURL()+"/lab/faults"); status != 204 {
		t.Errorf("clearing answered %d", status)
	}
	if _, body := ask(t, "GET", l.APIURL()+"/lab/state"); !strings.Contains(body, `"name":"web-1"`) {
		t.Errorf("state is %s", body)
	}
	_, _ = ask(t, "GET", l.APIURL()+"/v2/account")
	if r := l.Requests(); len(r) != 1 || r[0].Path != "/v2/account" || r[0].Status != 401 {
		t.Errorf("requests are %+v", r)
	}
}

func TestTheBuilderStandsForNix(t *testing.T) {
	t.Parallel()
	b := &lab.Builder{Dir: t.TempDir(), Servers: map[string]lab.ImageSpec{"web": {SizeMiB: 2}}}
	var _ build.Nix = b
	installables := []string{".#web-image", ".#nixosConfigurations.web.config.system.build.toplevel", ".#nixosConfigurations.web.config.system.build.digitalOceanImage"}
	outputs, err := b.Build(t.Context(), installables, nix.Progress{})
	if err != nil {
		t.Fatal(err)
	}
	if outputs[0].Path != outputs[2].Path || outputs[0].Path == outputs[1].Path {
		t.Errorf("outputs are %+v", outputs)
	}
	if _, err := os.Stat(outputs[0].Path + "/nixos.img"); err != nil {
		t.Error(err)
	}
	if !regexp.MustCompile(`/nix/store/[0-9abcdfghijklmnpqrsvwxyz]{32}-web-image$`).MatchString(outputs[0].Path) {
		t.Errorf("the image is at %s", outputs[0].Path)
	}
	if _, err := b.Evaluate(t.Context(), []string{".#db-image"}); err == nil {
		t.Error("an unknown server was evaluated")
	}
}

func TestClosingLeavesNothingBehind(t *testing.T) {
	ours := regexp.MustCompile(`github\.com/versatus/snowdrop/internal/lab[./]`)
	dir := t.TempDir()
	l, err := lab.Start(t.Context(), lab.Config{StateDir: dir, Timings: lab.Realistic(), Droplets: []lab.DropletSpec{{Name: "web-1"}, {Name: "web-2"}}})
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, l, l.Token())
	link := upload(t, l, "i.raw.gz", compressed(t, webSpec()))
	if _, _, err := c.Images.Create(t.Context(), &godo.CustomImageCreateRequest{Name: "i", Url: link, Region: "nyc3"}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections() //nolint:forcetypeassert // it is one
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("files left: %v, %v", entries, err)
	}
	until(t, "no goroutine of the lab is left", func() bool {
		stacks := make([]byte, 1<<20)
		return !ours.Match(stacks[:runtime.Stack(stacks, true)])
	})
}

func TestDoctlWorksUnchanged(t *testing.T) {
	t.Parallel()
	doctl, err := exec.LookPath("doctl")
	if err != nil {
		t.Log("no doctl here: its calls are not tried")
		return
	}
	l := start(t, lab.Config{Droplets: []lab.DropletSpec{{Name: "web-1"}}})
	home := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), doctl, append([]string{"--api-url", l.APIURL(), "-t", l.Token()}, args...)...) //nolint:gosec // the tests' own words
		cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("doctl %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if out := run("account", "get"); !strings.Contains(out, "lab@example.com") {
		t.Error(out)
	}
	link := upload(t, l, "nixos.raw.gz", compressed(t, webSpec()))
	run("compute", "image", "create", "mine", "--image-url", link, "--region", "nyc3")
	id := l.State().Image("mine").ID
	settled(t, l, id)
	if out := run("compute", "image", "list"); !strings.Contains(out, "mine") {
		t.Error(out)
	}
	droplet := l.State().Droplets[0].ID
	if out := run("compute", "droplet", "list"); !strings.Contains(out, "203.0.113.2") {
		t.Error(out)
	}
	if out := run("compute", "droplet-action", "rebuild", fmt.Sprint(droplet), "--image", fmt.Sprint(id), "--wait"); !strings.Contains(out, "completed") {
		t.Error(out)
	}
	run("compute", "image", "delete", fmt.Sprint(id), "--force")
	if l.State().Image("mine") != nil {
		t.Error("the image is still there")
	}
}
