//go:build linux && e2e

package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

const (
	bucket    = "snowdrop-e2e"
	prefix    = "fleet/"
	region    = "nyc3"
	accessKey = "E2EACCESSKEY00000000"
	secretKey = "e2e-secret-key-00000000000000000000000000"
)

// gateway is an S3 server that checks every signature: versitygw on a directory.
type gateway struct {
	address string
	// dir holds the objects as files, below the bucket's name.
	dir string
	s3  *minio.Client
}

func startGateway(ctx context.Context, t *testing.T, dir string) *gateway {
	t.Helper()
	objects, meta := filepath.Join(dir, "objects"), filepath.Join(dir, "meta")
	for _, d := range []string{objects, meta} {
		check(t, os.MkdirAll(d, 0o700))
	}
	g := &gateway{address: freeAddress(ctx, t), dir: objects}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, "versitygw", "--quiet", "--port", g.address, "--region", region,
		"posix", "--sidecar", meta, objects)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+accessKey, "ROOT_SECRET_KEY="+secretKey)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // Pdeathsig goes by the thread that started it
		defer runtime.UnlockOSThread()
		_ = cmd.Run()
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	var err error
	g.s3, err = minio.New(g.address, &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Region: region})
	check(t, err)
	until(ctx, t, "versitygw answers", func() error {
		select {
		case <-ended:
			t.Fatalf("versitygw ended:\n%s", said.String())
		default:
		}
		return g.s3.MakeBucket(ctx, bucket, minio.MakeBucketOptions{Region: region})
	})
	return g
}

// objects are the keys in the bucket below the fleet's prefix.
func (g *gateway) objects(ctx context.Context, t *testing.T, below string) []string {
	t.Helper()
	var keys []string
	for o := range g.s3.ListObjects(ctx, bucket, minio.ListObjectsOptions{Prefix: prefix + below, Recursive: true}) {
		check(t, o.Err)
		keys = append(keys, strings.TrimPrefix(o.Key, prefix))
	}
	return keys
}

// uploads are the multipart uploads that were neither completed nor aborted.
func (g *gateway) uploads(ctx context.Context, t *testing.T) []string {
	t.Helper()
	var keys []string
	for u := range g.s3.ListIncompleteUploads(ctx, bucket, "", true) {
		check(t, u.Err)
		keys = append(keys, u.Key)
	}
	return keys
}

func freeAddress(ctx context.Context, t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	check(t, err)
	defer func() { check(t, l.Close()) }()
	return l.Addr().String()
}

// until tries every tenth of a second, for two minutes.
func until(ctx context.Context, t *testing.T, what string, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(fmt.Errorf("waited until %s: %w", what, err))
		case <-tick.C:
		}
	}
}
