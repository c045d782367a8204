package ocean_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/contract"
	"github.com/versatus/snowdrop/internal/ocean"
)

type object = map[string]any

const fingerprint = "3b:16:bf:e4:8b:00:8b:b8:59:8c:a9:d3:f0:19:45:fa"

// fakeAPI plays the few parts of DigitalOcean's API that the client uses. It is
// reached without a network, so that tests can run in synctest's time.
type fakeAPI struct {
	mu       sync.Mutex
	nextID   int
	images   []object // the newest first, as the API lists them
	droplets []object
	actions  []object
	requests []string
	created  []object    // the bodies that asked for droplets
	header   http.Header // of every answer
	pageSize int         // 0: as asked
	// faults are asked in turn before a request is acted on; the first that
	// returns something decides.
	faults []func(r *http.Request) *fault
}

// fault is a wrong answer. With after, the request is acted on all the same.
type fault struct {
	status  int
	message string
	header  http.Header
	err     error
	after   bool
}

func newFake() *fakeAPI { return &fakeAPI{nextID: 1000, header: http.Header{}} }

// fail makes a fault happen at the first n requests of that method and path.
func (f *fakeAPI) fail(n int, method, path string, what fault) {
	f.faults = append(f.faults, func(r *http.Request) *fault {
		if n == 0 || r.Method != method || r.URL.Path != path {
			return nil
		}
		n--
		return &what
	})
}

// RoundTrip answers without a network.
func (f *fakeAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r.Method+" "+r.URL.Path)
	var wrong *fault
	for _, ask := range f.faults {
		if wrong = ask(r); wrong != nil {
			break
		}
	}
	w := httptest.NewRecorder()
	for k, v := range f.header {
		w.Header()[k] = v
	}
	if wrong == nil || wrong.after {
		f.serve(w, r)
	}
	if wrong != nil {
		if wrong.err != nil {
			return nil, wrong.err
		}
		w = httptest.NewRecorder()
		for k, v := range wrong.header {
			w.Header()[k] = v
		}
		refuse(w, wrong.status, wrong.message)
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

func (f *fakeAPI) serve(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v2/"), "/")
	var body object
	if r.Body != nil {
		_ = json.NewDecoder(r.Body).Decode(&body)
	}
	switch pattern := r.Method + " " + shape(parts); pattern {
	case "GET account":
		answer(w, 200, object{"account": object{
			"email": "sammy@example.com", "uuid": "u", "email_verified": true, "status": "active", "status_message": "",
			"droplet_limit": 25, "floating_ip_limit": 5, "team": object{"name": "Acme"},
		}})
	case "GET images":
		f.list(w, r, "images", f.images)
	case "GET droplets":
		f.list(w, r, "droplets", f.droplets)
	case "GET actions":
		f.list(w, r, "actions", f.actions)
	case "GET tags":
		f.list(w, r, "tags", nil)
	case "GET sizes":
		f.list(w, r, "sizes", []object{{
			"slug": "s-1vcpu-1gb", "memory": 1024, "vcpus": 1, "disk": 25, "transfer": 1, "price_monthly": 6, "price_hourly": 0.00893,
			"regions": []string{"nyc3"}, "available": true, "description": "Basic",
		}})
	case "GET account/keys":
		f.list(w, r, "ssh_keys", []object{{"id": 512, "fingerprint": fingerprint, "public_key": "ssh-ed25519 AAAA", "name": "me"}})
	case "POST droplets":
		f.created = append(f.created, body)
		f.nextID++
		f.addDroplet(f.nextID, body["name"].(string))
		made := f.droplets[len(f.droplets)-1]
		made["status"], made["tags"], made["locked"] = "new", body["tags"], true
		answer(w, 202, object{"droplet": made, "links": object{}})
	case "GET droplets/N":
		f.one(w, "droplet", f.droplets, parts[1])
	case "DELETE droplets/N":
		f.droplets = slices.DeleteFunc(f.droplets, func(d object) bool { return strconv.Itoa(d["id"].(int)) == parts[1] })
		w.WriteHeader(204)
	case "GET images/N":
		f.one(w, "image", f.images, parts[1])
	case "GET droplets/N/actions/N", "GET images/N/actions/N":
		f.one(w, "action", f.actions, parts[3])
	case "GET droplets/N/actions", "GET images/N/actions":
		id, _ := strconv.Atoi(parts[1])
		f.list(w, r, "actions", slices.DeleteFunc(slices.Clone(f.actions), func(a object) bool { return a["resource_id"] != id }))
	case "POST images":
		answer(w, 202, object{"image": f.addImage(body["name"].(string), "NEW", body["tags"])})
	case "DELETE images/N":
		f.images = slices.DeleteFunc(f.images, func(i object) bool { return strconv.Itoa(i["id"].(int)) == parts[1] })
		w.WriteHeader(204)
	case "POST droplets/N/actions", "POST images/N/actions":
		id, _ := strconv.Atoi(parts[1])
		region, _ := body["region"].(string)
		a := f.addAction(body["type"].(string), strings.TrimSuffix(parts[0], "s"), id, region)
		answer(w, 201, object{"action": a})
	default:
		refuse(w, 404, "the fake has no "+pattern)
	}
}

// shape is a path with N for its numbers.
func shape(parts []string) string {
	out := slices.Clone(parts)
	for i, p := range out {
		if _, err := strconv.Atoi(p); err == nil {
			out[i] = "N"
		}
	}
	return strings.Join(out, "/")
}

func (f *fakeAPI) list(w http.ResponseWriter, r *http.Request, key string, all []object) {
	size, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	size, page = max(1, size), max(1, page)
	if f.pageSize > 0 {
		size = min(size, f.pageSize)
	}
	from, to := min(len(all), (page-1)*size), min(len(all), page*size)
	links := object{}
	if to < len(all) {
		links["pages"] = object{
			"next": fmt.Sprintf("https://api.example.com%s?page=%d", r.URL.Path, page+1),
			"last": fmt.Sprintf("https://api.example.com%s?page=%d", r.URL.Path, (len(all)+size-1)/size),
		}
	}
	answer(w, 200, object{key: append([]object{}, all[from:to]...), "links": links, "meta": object{"total": len(all)}})
}

func (f *fakeAPI) one(w http.ResponseWriter, key string, all []object, id string) {
	for _, o := range all {
		if strconv.Itoa(o["id"].(int)) == id {
			answer(w, 200, object{key: o})
			return
		}
	}
	refuse(w, 404, "The resource you were accessing could not be found.")
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, object{"id": "fault", "message": message, "request_id": "4d9d8375"})
}

func (f *fakeAPI) addImage(name, status string, tags any) object {
	f.nextID++
	i := object{
		"id": f.nextID, "name": name, "type": "custom", "distribution": "Unknown", "public": false, "slug": nil,
		"regions": []string{}, "created_at": time.Now().UTC().Format(time.RFC3339),
		"min_disk_size": nil, "size_gigabytes": nil, "description": "", "tags": tags, "status": status, "error_message": " ",
	}
	if status == "available" {
		i["regions"] = []string{"nyc3"}
	}
	f.images = slices.Insert(f.images, 0, i)
	return i
}

func (f *fakeAPI) addAction(kind, resource string, id int, region string) object {
	f.nextID++
	a := object{
		"id": f.nextID, "type": kind, "status": "in-progress", "resource_type": resource, "resource_id": id,
		"started_at": time.Now().UTC().Format(time.RFC3339), "completed_at": nil, "region_slug": region,
	}
	f.actions = slices.Insert(f.actions, 0, a)
	return a
}

func (f *fakeAPI) addDroplet(id int, name string) {
	f.droplets = append(f.droplets, object{
		"id": id, "name": name, "memory": 1024, "vcpus": 1, "disk": 25, "locked": false, "status": "active",
		"created_at": "2026-01-02T03:04:05Z", "features": []string{"ipv6"}, "backup_ids": []int{}, "next_backup_window": object{},
		"snapshot_ids": []int{}, "volume_ids": []string{"v1"}, "size_slug": "s-1vcpu-1gb", "tags": []string{"web"},
		"image": object{"id": 7, "name": "base", "type": "base", "distribution": "Debian", "regions": []string{}, "tags": []string{}},
		"size": object{
			"slug": "s-1vcpu-1gb", "memory": 1024, "vcpus": 1, "disk": 25, "transfer": 1, "price_monthly": 6, "price_hourly": 0.01,
			"regions": []string{"nyc3"}, "available": true, "description": "Basic",
		},
		"networks": object{"v4": []object{
			{"ip_address": "10.0.0.2", "netmask": "255.0.0.0", "gateway": "10.0.0.1", "type": "private"},
			{"ip_address": "203.0.113.7", "netmask": "255.255.255.0", "gateway": "203.0.113.1", "type": "public"},
		}, "v6": []object{}},
		"region": object{"name": "New York 3", "slug": "nyc3", "features": []string{}, "available": true, "sizes": []string{}},
	})
}

// later changes the fake after some time, within synctest's bubble.
func (f *fakeAPI) later(d time.Duration, change func()) {
	time.AfterFunc(d, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		change()
	})
}

// count is how often a method and path were asked for.
func (f *fakeAPI) count(request string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, r := range f.requests {
		if r == request {
			n++
		}
	}
	return n
}

// client is a client of the fake whose exchanges are held against DigitalOcean's
// description where there is one. It must be loaded outside of a bubble.
func (f *fakeAPI) client(t *testing.T, description *contract.Validator) *ocean.Client {
	t.Helper()
	var transport http.RoundTripper = f
	if description != nil {
		transport = description.Transport(f, func(err error) { t.Errorf("against DigitalOcean's description: %v", err) })
	}
	c, err := ocean.New(ocean.Config{Token: "dop_v1_secret", BaseURL: "https://api.example.com", UserAgent: "snowdrop/test", Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The ways in which a POST goes wrong.
func refused() fault {
	return fault{err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}
}

func cutOff(after bool) fault { return fault{err: io.ErrUnexpectedEOF, after: after} }

func answers(status int, message string) fault { return fault{status: status, message: message} }

var errStop = errors.New("stopped by the test")
