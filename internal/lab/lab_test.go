package lab_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/digitalocean/godo"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/remote"
)

const system = "/nix/store/0c1yv5m3i2zq6k1l8r4w7x9n5b3d6f8g-nixos-system-web-25.05"

func webSpec() lab.ImageSpec {
	return lab.ImageSpec{
		Name: "web", System: system, SizeMiB: 2,
		Units:     map[string]string{"nginx.service": "active"},
		UserUnits: map[string]map[string]string{"deploy": {"node-start.service": "active"}},
		HTTP:      map[string]lab.Answer{"/healthz": {Status: 200, Body: "ok", Unit: "nginx.service"}},
	}
}

func start(t *testing.T, cfg lab.Config) *lab.Lab {
	t.Helper()
	cfg.StateDir = t.TempDir()
	if cfg.Timings == (lab.Timings{}) {
		cfg.Timings = lab.Instant()
	}
	var (
		mu   sync.Mutex
		over bool // whoever answers a request at the end may still have something to say
	)
	cfg.Log = func(line string) {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			t.Log(line)
		}
	}
	l, err := lab.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		over = true
	})
	return l
}

func client(t *testing.T, l *lab.Lab, token string) *godo.Client {
	t.Helper()
	c, err := godo.New(&http.Client{Transport: &bearer{token}}, godo.SetBaseURL(l.APIURL()))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type bearer struct{ token string }

func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return http.DefaultTransport.RoundTrip(r)
}

func s3(t *testing.T, l *lab.Lab) *minio.Client {
	t.Helper()
	access, secret := l.Keys()
	c, err := minio.New(strings.TrimPrefix(l.SpaceURL(), "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(access, secret, ""), Region: "nyc3",
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func compressed(t *testing.T, spec lab.ImageSpec) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := lab.MakeImage(z, spec); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// upload puts an image into the Space and returns a presigned URL.
func upload(t *testing.T, l *lab.Lab, key string, data []byte) string {
	t.Helper()
	s := s3(t, l)
	if _, err := s.PutObject(t.Context(), l.Bucket(), key, bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	u, err := s.PresignedGetObject(t.Context(), l.Bucket(), key, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	return u.String()
}

func importImage(t *testing.T, l *lab.Lab, name, link string) *godo.Image {
	t.Helper()
	c := client(t, l, l.Token())
	i, _, err := c.Images.Create(t.Context(), &godo.CustomImageCreateRequest{
		Name: name, Url: link, Region: "nyc3", Distribution: "NixOS", Tags: []string{"snowdrop", "snowdrop:server:web"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if i.Status != "NEW" || len(i.Regions) != 0 || i.Distribution != "Unknown" {
		t.Errorf("a new image is %+v; want NEW, nowhere, Unknown", i)
	}
	return settled(t, l, i.ID)
}

// settled waits until an image is neither NEW nor pending.
func settled(t *testing.T, l *lab.Lab, id int) *godo.Image {
	t.Helper()
	c := client(t, l, l.Token())
	var found *godo.Image
	until(t, "the import ends", func() bool {
		i, _, err := c.Images.GetByID(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		found = i
		return i.Status != "NEW" && i.Status != "pending"
	})
	return found
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited too long until %s", what)
		case <-tick.C:
		}
	}
}

// rebuild puts a droplet on an image and waits for the action's end.
func rebuild(t *testing.T, l *lab.Lab, dropletID, imageID int) *godo.Action {
	t.Helper()
	c := client(t, l, l.Token())
	a, _, err := c.DropletActions.RebuildByImageID(t.Context(), dropletID, imageID)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the rebuild ends", func() bool {
		got, _, err := c.Actions.Get(t.Context(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		a = got
		return a.Status != "in-progress"
	})
	return a
}

// dial connects to a droplet through the lab's jump host, as snowdrop does.
func dial(t *testing.T, l *lab.Lab, address, user string) *remote.Conn {
	t.Helper()
	d, err := remote.New(remote.Config{Env: l.Getenv})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	var conn *remote.Conn
	until(t, "SSH answers on "+address, func() bool {
		c, err := d.Dial(t.Context(), remote.Target{
			Name: address, Address: address, User: user, Keys: remote.HostKeys{Policy: "accept-new"},
		})
		conn = c
		if err != nil {
			t.Log(err)
		}
		return err == nil
	})
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func sh(t *testing.T, c *remote.Conn, script, stdin string) remote.Result {
	t.Helper()
	r, err := c.Run(t.Context(), script, strings.NewReader(stdin))
	if err != nil {
		t.Fatal(err)
	}
	return r
}
