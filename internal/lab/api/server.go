// Package api is DigitalOcean's API as the lab serves it: account, images,
// droplets, actions, tags, regions, sizes, SSH keys and snapshots. It checks what
// the real one checks, takes its time as the real one does, and answers with the
// same errors and headers.
package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/versatus/snowdrop/internal/lab/disk"
	"github.com/versatus/snowdrop/internal/lab/fault"
)

// Config says what an API looks like. Every field but Tokens and Machines may be
// left at its zero value.
type Config struct {
	// Tokens are who may call.
	Tokens   []Token
	Machines Machines
	Faults   *fault.Set
	Timings  Timings
	Limits   Limits
	// StrictHead makes the import fail when HEAD is not answered with success. It is
	// disputed whether the real importer does so: a presigned GET answers 403 to it.
	StrictHead bool
	// ImageDir keeps the decompressed images for real droplets; "" keeps none.
	ImageDir string
	Log      func(string)
}

// Token is a bearer token with what it may do; no scopes means everything.
type Token struct {
	Value  string
	Scopes []string
}

// Timings are how long things take.
type Timings struct {
	// New is how long an image is NEW, Pending how long at least it is pending.
	New, Pending, Transfer, Create, Rebuild, Power, Snapshot time.Duration
}

// Limits are how many requests a token has.
type Limits struct{ PerHour, PerMinute int }

// Disk is what a machine starts from.
type Disk struct {
	// Name is the image's.
	Name string
	// Spec is set for images that carry the lab's marker.
	Spec *disk.Spec
	// File is the decompressed image where Config.ImageDir is set; Format is its format.
	File, Format string
}

// Machines is what runs the droplets.
type Machines interface {
	// Create makes a machine for a droplet, and starts it.
	Create(ctx context.Context, d Droplet, from Disk) error
	// Rebuild wipes its disk and starts it from an image.
	Rebuild(ctx context.Context, dropletID int, from Disk) error
	// Power switches it "on", "off", or "reset"s it.
	Power(ctx context.Context, dropletID int, to string) error
	// Destroy ends it for good.
	Destroy(ctx context.Context, dropletID int) error
}

// Server is the API. Make one with New.
type Server struct {
	cfg    Config
	routes *http.ServeMux
	limits *limiter
	client *http.Client
	// run starts work that goes on after a request was answered.
	run  func(func(ctx context.Context))
	stop func()

	mu       sync.Mutex
	images   map[int]*Image
	droplets map[int]*Droplet
	actions  []*Action
	tags     map[string]bool
	keys     map[int]*sshKey
	imports  map[int]context.CancelFunc
	lastID   int
	lastHost int
}

// New makes an API whose background work ends with ctx or Close.
func New(ctx context.Context, cfg Config) *Server {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	if cfg.Log == nil {
		cfg.Log = func(string) {}
	}
	if cfg.Faults == nil {
		cfg.Faults = &fault.Set{}
	}
	transport := &http.Transport{DisableCompression: true}
	s := &Server{
		cfg: cfg, limits: newLimiter(cfg.Limits), client: &http.Client{Transport: transport},
		images: map[int]*Image{}, droplets: map[int]*Droplet{}, tags: map[string]bool{},
		keys: map[int]*sshKey{}, imports: map[int]context.CancelFunc{}, lastID: 150_000_000,
		run: func(f func(context.Context)) { wg.Go(func() { f(ctx) }) },
		stop: func() {
			cancel()
			wg.Wait()
			transport.CloseIdleConnections()
		},
	}
	s.seed()
	s.routes = s.mux()
	return s
}

// Close ends all background work and waits for it.
func (s *Server) Close() { s.stop() }

// ServeHTTP answers a request below /v2/.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.routes.ServeHTTP(w, r) }

func (s *Server) id() int {
	s.lastID += 7
	return s.lastID
}

func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// wait returns false if ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
