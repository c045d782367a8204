package droplet

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/versatus/snowdrop/internal/lab/disk"
)

// web are the web servers of a machine, one server in truth: what is answered
// depends on the port that a connection was made to.
type web struct {
	m      *Machine
	server *http.Server
	conns  chan net.Conn
	done   chan struct{}
	wait   sync.WaitGroup
}

type portKey struct{}

// tagged is a connection that knows its boot and port.
type tagged struct {
	net.Conn
	boot *boot
	port int
}

func newWeb(m *Machine) *web {
	w := &web{m: m, conns: make(chan net.Conn), done: make(chan struct{})}
	w.server = &http.Server{
		Handler: http.HandlerFunc(w.serve), ReadHeaderTimeout: time.Minute,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, portKey{}, c) },
	}
	w.wait.Go(func() { _ = w.server.Serve(w) })
	return w
}

// Accept, Close and Addr make web the listener of its own server.
func (w *web) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener; close does the work.
func (w *web) Close() error { return nil }

// Addr implements net.Listener.
func (w *web) Addr() net.Addr { return &net.TCPAddr{} }

func (w *web) close() {
	close(w.done)
	_ = w.server.Close()
	w.wait.Wait()
}

// dial opens a connection to one of the ports, if anything listens there now.
func (w *web) dial(b *boot, port int) (net.Conn, error) {
	if !w.listens(b, port) {
		return nil, ErrRefused
	}
	ours, theirs := net.Pipe()
	select {
	case w.conns <- tagged{theirs, b, port}:
		return ours, nil
	case <-w.done:
		return nil, ErrRefused
	}
}

// listens says whether a port has any answer whose unit is active.
func (w *web) listens(b *boot, port int) bool {
	for key, a := range b.spec.HTTP {
		if p, _, err := disk.SplitHTTP(key); err == nil && p == port && w.serves(b, a) {
			return true
		}
	}
	return false
}

func (w *web) serves(b *boot, a disk.Answer) bool {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	now := time.Now()
	if w.m.boot != b || now.Before(b.upAt) {
		return false
	}
	u := b.find(a.Unit, "")
	return a.Unit == "" || u != nil && b.state(u, now).active == "active"
}

func (w *web) serve(rw http.ResponseWriter, r *http.Request) {
	c, ok := r.Context().Value(portKey{}).(tagged)
	if !ok {
		http.NotFound(rw, r)
		return
	}
	for key, a := range c.boot.spec.HTTP {
		if p, path, err := disk.SplitHTTP(key); err == nil && p == c.port && path == r.URL.Path && w.serves(c.boot, a) {
			rw.WriteHeader(or(a.Status, 200))
			_, _ = io.WriteString(rw, a.Body)
			return
		}
	}
	http.NotFound(rw, r)
}

// get asks from within the machine.
func (w *web) get(b *boot, port int, r *http.Request) (*http.Response, error) {
	if !w.listens(b, port) {
		return nil, fmt.Errorf("port %d: %w", port, ErrRefused)
	}
	rec := &recorder{header: http.Header{}, status: http.StatusOK}
	w.serve(rec, r.WithContext(context.WithValue(r.Context(), portKey{}, tagged{boot: b, port: port})))
	return &http.Response{StatusCode: rec.status, Header: rec.header, Body: io.NopCloser(&rec.body)}, nil
}

// recorder keeps an answer. (net/http/httptest has one, and a flag with it.)
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) } //nolint:wrapcheck // never fails
