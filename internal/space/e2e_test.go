//go:build e2e

// Against a real S3 that verifies every signature, versitygw:
//
//	go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
//	go test -tags e2e ./internal/space
package space

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

const (
	gatewayAccess = "AKIAE2E"
	gatewaySecret = "the-secret-of-the-gateway"
)

// gateway starts versitygw on a free port, with a bucket, and stops it afterwards.
func gateway(t *testing.T) string {
	t.Helper()
	bin, err := exec.LookPath("versitygw")
	if err != nil {
		if bin = filepath.Join(os.Getenv("HOME"), "go", "bin", "versitygw"); !exists(bin) {
			t.Fatal("versitygw is not installed: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0")
		}
	}
	root, side := t.TempDir(), t.TempDir()
	address := freeAddress(t)
	cmd := exec.CommandContext(t.Context(), bin, "--port", address, "--access", gatewayAccess, "--secret", gatewaySecret,
		"--region", "nyc3", "--quiet", "posix", "--sidecar", side, root)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 200 {
		if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			_ = conn.Close()
			return "http://" + address
		}
		<-tick.C
	}
	t.Fatal("versitygw does not listen")
	return ""
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func gatewayClient(t *testing.T, endpoint, secret string) *Client {
	t.Helper()
	c, err := New(Config{
		Bucket: bucket, Region: "nyc3", Endpoint: endpoint, Prefix: "nix/",
		AccessKey: gatewayAccess, SecretKey: secret,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.partSize = 5 << 20
	return c
}

func get(t *testing.T, method, url string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

func TestAgainstARealS3(t *testing.T) {
	endpoint := gateway(t)
	c := gatewayClient(t, endpoint, gatewaySecret)
	if err := c.Check(t.Context()); !errors.Is(err, ErrNoBucket) {
		t.Fatalf("before there is a bucket: %v", err)
	}
	if err := c.s3.MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{Region: "nyc3"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := gatewayClient(t, endpoint, "a wrong secret").Check(t.Context()); !errors.Is(err, ErrDenied) ||
		!strings.Contains(err.Error(), "SignatureDoesNotMatch") {
		t.Errorf("with a wrong secret: %v", err)
	}

	const key = "images/0123/nixos image.raw.gz"
	want := noise(17 << 20) // four parts
	if o, err := c.Upload(t.Context(), key, onlyReader{bytes.NewReader(want)}, UploadOptions{}); err != nil || o.Size != int64(len(want)) {
		t.Fatalf("multipart: %+v, %v", o, err)
	}
	if o, err := c.Stat(t.Context(), key); err != nil || o.Size != int64(len(want)) {
		t.Errorf("stat: %+v, %v", o, err)
	}

	t.Run("a presigned URL serves GET and refuses HEAD", func(t *testing.T) {
		url, err := c.Presign(t.Context(), key, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if status, body := get(t, http.MethodGet, url); status != http.StatusOK || !bytes.Equal(body, want) {
			t.Errorf("presigned GET: %d, %d bytes", status, len(body))
		}
		if status, _ := get(t, http.MethodGet, c.PublicURL(key)); status != http.StatusForbidden {
			t.Errorf("unsigned GET: %d", status)
		}
		seen, err := c.Probe(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("a URL presigned for GET answers HEAD with %d: %s", seen.Head, seen.Explain())
		if seen.Head != http.StatusForbidden || !seen.Readable() || !seen.AcceptRanges || seen.Length != int64(len(want)) {
			t.Errorf("probe: %+v", seen)
		}
		expired := strings.Replace(url, "X-Amz-Expires=3600", "X-Amz-Expires=7200", 1)
		if status, _ := get(t, http.MethodGet, expired); status != http.StatusForbidden {
			t.Errorf("a URL with a changed expiry: %d", status)
		}
	})

	t.Run("a cancelled upload leaves nothing", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err := c.Upload(ctx, "cancelled", &endless{ctx: ctx, n: 30 << 20, at: cancel}, UploadOptions{})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		objects, uploads := left(t, c)
		if len(objects) != 1 || len(uploads) != 0 {
			t.Errorf("left: objects %v, uploads %v", objects, uploads)
		}
	})

	t.Run("a stale upload is swept", func(t *testing.T) {
		if _, err := c.core.NewMultipartUpload(t.Context(), bucket, c.key("stale"), (&upload{c: c}).putOptions()); err != nil {
			t.Fatal(err)
		}
		swept, err := c.SweepUploads(t.Context(), "", -time.Minute)
		if err != nil || len(swept) != 1 || swept[0] != "stale" {
			t.Errorf("swept %v, %v", swept, err)
		}
		if _, uploads := left(t, c); len(uploads) != 0 {
			t.Errorf("left: %v", uploads)
		}
	})

	// versitygw has no ACLs of objects: 501 is its answer to a request whose
	// signature it has verified, 403 to any other.
	t.Run("the signature of a request for an ACL is right", func(t *testing.T) {
		var refused *Error
		if err := c.SetPublic(t.Context(), key, true); !errors.As(err, &refused) || refused.Status != http.StatusNotImplemented {
			t.Errorf("with the right secret: %v", err)
		}
		if err := gatewayClient(t, endpoint, "a wrong secret").SetPublic(t.Context(), key, true); !errors.Is(err, ErrDenied) {
			t.Errorf("with a wrong secret: %v", err)
		}
	})

	if err := c.Delete(t.Context(), key, "absent"); err != nil {
		t.Error(err)
	}
	if _, err := c.Stat(t.Context(), key); !errors.Is(err, ErrNotFound) {
		t.Errorf("after its deletion: %v", err)
	}
}
