package lab_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/digitalocean/godo"

	"github.com/versatus/snowdrop/internal/lab"
)

func raw(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := lab.MakeImage(&b, webSpec()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAWrongImageEndsAsDeletedWithAReason(t *testing.T) {
	t.Parallel()
	l := start(t, lab.Config{})
	good := compressed(t, webSpec())
	for _, tt := range []struct {
		name, file, status, says string
		data                     []byte
		disk                     int
	}{
		{name: "raw", file: "a.raw", data: raw(t), status: "available", disk: 1},
		{name: "img", file: "a.img", data: raw(t), status: "available", disk: 1},
		{name: "gzip", file: "a.raw.gz", data: good, status: "available", disk: 1},
		{name: "qcow2", file: "a.qcow2", data: qcow(3), status: "available", disk: 3},
		{name: "the ending says another format", file: "a.qcow2.gz", data: good, status: "deleted", says: " "},
		{name: "the ending says no compression", file: "a.raw", data: good, status: "deleted", says: " "},
		{name: "no ending", file: "a", data: raw(t), status: "deleted", says: " "},
		{name: "xz", file: "a.raw.xz", data: []byte("\xfd7zXZ\x00 and so on"), status: "deleted", says: "xz"},
		{name: "zstd", file: "a.raw.zst", data: []byte("\x28\xb5\x2f\xfd and so on"), status: "deleted", says: "zstd"},
		{name: "cut off", file: "a.raw.gz", data: good[:len(good)/2], status: "deleted", says: "EOF"},
		{name: "no disk", file: "a.raw", data: bytes.Repeat([]byte("x"), 4096), status: "deleted", says: "format"},
		{name: "too large", file: "a.qcow2", data: qcow(200), status: "deleted", says: "100 GB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := importImage(t, l, "i", upload(t, l, tt.name+"/"+tt.file, tt.data))
			if i.Status != tt.status || !strings.Contains(i.ErrorMessage, tt.says) || i.MinDiskSize != tt.disk {
				t.Errorf("ended as %s %q, min disk %d; want %s %q, %d", i.Status, i.ErrorMessage, i.MinDiskSize, tt.status, tt.says, tt.disk)
			}
		})
	}
}

func TestASourceThatDoesNotAnswerIsUnreachable(t *testing.T) {
	t.Parallel()
	strict := start(t, lab.Config{StrictHead: true})
	lenient := start(t, lab.Config{Faults: []lab.Fault{{Kind: "import-unreachable", Target: "ghost"}}})
	gone := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(gone.Close)
	for _, tt := range []struct {
		name, link, image string
		lab               *lab.Lab
		left              int
	}{
		{"404", gone.URL + "/a.raw.gz", "x", lenient, 0},
		{"nobody there", "http://127.0.0.1:1/a.raw.gz", "x", lenient, 0},
		{"403 to HEAD, taken seriously", upload(t, strict, "a.raw.gz", compressed(t, webSpec())), "x", strict, 0},
		{"400 that leaves an image", upload(t, lenient, "a.raw.gz", compressed(t, webSpec())), "ghost", lenient, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := client(t, tt.lab, tt.lab.Token())
			_, r, err := c.Images.Create(t.Context(), &godo.CustomImageCreateRequest{Name: tt.image, Url: tt.link, Region: "nyc3"})
			if err == nil || r.StatusCode != 400 || !strings.Contains(err.Error(), "unreachable") {
				t.Errorf("answered %v", err)
			}
			left := 0
			for _, i := range tt.lab.State().Images {
				if i.Type == "custom" && i.Status == "NEW" {
					left++
				}
			}
			if left != tt.left {
				t.Errorf("%d images left; want %d", left, tt.left)
			}
		})
	}
}
